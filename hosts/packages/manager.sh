# The host's packages. Each manager has its own file; hosts/system/distro.sh says which one applies.
#
# pkg_versions NAME...          prints `name version` of those that are installed
# pkg_install NAME...           installs missing packages; upgrades nothing
# pkg_purge NAME...             removes them with their configuration, and what only they had needed
# pkg_remove NAME...            removes them with their configuration
# pkg_plan INSTALL REMOVE KEEP  sets pkg_request for both in one transaction (lists of names; INSTALL may have
#                               name=version), and pkg_lost and pkg_new: the names actually removed and added. Packages
#                               needed only by the removed ones are removed too, unless KEEP names them. A removed
#                               package is not replaced by another that provides the same
# pkg_change                    carries out pkg_request
# pkg_mend NAME...              finishes what a killed package manager left half-done, which may have been about to
#                               remove these
# pkg_answers                   (apt) answers packages' questions: stdin, lines `package question type value`
# pkg_causes GONE MISSING       after pkg_plan: `name cause` for what is removed if one of GONE (a list of names) is
#                               removed, or one of MISSING installed
# pkg_orphans                   prints names installed as dependencies that nothing needs any more
# pkg_half NAME...              prints those of them that are removed, but not their configuration
# pkg_autos NAME...             prints those of them installed as dependencies
# pkg_auto NAME...              marks them as installed as dependencies
# pkg_files_of NAME...          prints `name path` for all of their files
# pkg_conffiles_of NAME...      the same for their settings under /etc
# pkg_owners_of                 stdin, paths: prints `name path` for each package that owns one
# pkg_first NAME...             prints the first of them that is installed, else the first that is available
# pkg_means NAME...             prints `name other how` for what a name stands for. `for`: the name is virtual, and the
#                               other provides it; `with`: it is a metapackage, a group or a transitional package that
#                               includes the other. Only packages installed or in pkg_gone (removed, may be restored)
# pkg_provider NAME             prints the provider of a virtual name, if there is only one
# pkg_held                      after a failed pkg_plan: prints what it would have changed and the administrator holds
#                               (apt-mark hold, HoldPkg)
# pkg_left PATH TAR             removes what the manager left of a file in /etc under another name, unless TAR has it
#
# For queries that a manager only answers for one package, it has pkg_goes NAME and pkg_goes_for NAME (names removed if
# NAME is removed, or installed), pkg_is_auto NAME, pkg_files NAME, pkg_conffiles NAME and pkg_owners PATH instead.
#
# Everything is non-interactive. Recommended packages are not installed: chapters name what they need. Files that the
# administrator changed are kept. Another running package manager is waited for, lock_wait seconds at most (a value of
# the script; 300 by default); then the script exits with 72. Progress goes to stderr, errors at its end.
#
# uses: hosts/system/distro.sh hosts/packages/apt.sh hosts/packages/apt_means.sh hosts/packages/dnf.sh
# uses: hosts/packages/yum.sh hosts/packages/pacman.sh hosts/packages/zypper.sh
