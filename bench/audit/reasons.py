"""Why a finding of an auditor stays, by the start of its text: for docs/hardening-scores.md."""

_PASSWORDS = "the guide's users log in with keys; rules for passwords are beyond it"
LYNIS_REASONS = {
    "AUTH-9229": _PASSWORDS,
    "AUTH-9230": _PASSWORDS,
    "AUTH-9262": _PASSWORDS,
    "AUTH-9282": _PASSWORDS,
    "AUTH-9284": "the locked accounts are those of packages",
    "AUTH-9286": _PASSWORDS,
    "AUTH-9328": "the default umask of all users is beyond the guide",
    "FIRE-4513": "lynis lists rules that no packet has matched since they were loaded",
    "PKGS-7370": "a tool for audits, not a setting; `packages: {present: [debsums]}` installs it",
    "PKGS-7388": "lab hosts have one local repository and no security one",
    "PKGS-7394": "a tool for audits, not a setting; `packages: {present: [apt-show-versions]}` installs it",
    "PKGS-7398": "a tool for audits, not a setting",
    "SSH-7408 Consider hardening SSH configuration (Port": "another port hides sshd from scans, and is no protection; "
    "`settings: {Port: 2222}` and `firewall: {sshPort: 2222}` move it",
}
_LOGS = "logging and auditing are beyond the guide"
_DISKS = "partitions are made when a server is installed"
SCAP_REASONS = {
    "apt_sources_list_official": "lab hosts have one local repository",
    "ensure_logrotate_activated": _LOGS,
    "file_permissions_systemmap": "a lab host has no kernel of its own",
    "package_audit": _LOGS,
    "package_cron": "the guide needs no cron: updates are started by systemd's timers",
    "package_ntp": "asks for ntpd by name; chrony keeps the time here",
    "service_ntp": "asks for ntpd by name; chrony keeps the time here",
    "package_rsyslog": _LOGS,
    "package_syslogng": _LOGS,
    "rsyslog_files": _LOGS,
    "service_rsyslog": _LOGS,
    "service_syslogng": _LOGS,
    "service_auditd": _LOGS,
    "partition_for": _DISKS,
    "sysctl_fs_suid_dumpable": "a setting beyond the firewall; OpenSCAP cannot read it from outside",
    "sysctl_kernel_randomize_va_space": "on in the kernel; OpenSCAP cannot read it from outside",
}
