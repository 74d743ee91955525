# The host's packages. Each manager has its file; hosts/system/distro.sh tells which one it is.
#
# pkg_versions NAME...          prints `name version` of those that are installed
# pkg_install NAME...           installs what is missing; upgrades nothing that is there
# pkg_purge NAME...             removes them with their configuration, and what only they had needed
# pkg_remove NAME...            removes them with their configuration
# pkg_plan INSTALL REMOVE KEEP  sets pkg_request, for both in one transaction (lists of names; INSTALL may say
#                               name=version), and pkg_lost and pkg_new: the names that really go and come. What only the
#                               removed had needed goes too, unless KEEP names it; what is removed is not replaced by
#                               something else that provides the same
# pkg_change                    carries pkg_request out
# pkg_mend NAME...              finishes what a killed package manager left half-done, which may have been about to
#                               remove these
# pkg_answers                   (apt) answers packages' questions: stdin, lines `package question type value`
# pkg_causes GONE MISSING       after pkg_plan: `name cause` for what goes where one of GONE (a list of names) is removed,
#                               or one of MISSING installed
# pkg_orphans                   names that came as dependencies and that nothing needs any more
# pkg_half NAME...              those of them that are removed, but whose configuration is there
# pkg_autos NAME...             those of them that came as dependencies
# pkg_auto NAME...              says that these did
# pkg_files_of NAME...          `name path` for all that they have
# pkg_conffiles_of NAME...      the same for their settings under /etc
# pkg_owners_of                 stdin, paths: `name path` for each package that has it
# pkg_first NAME...             the first of them that is installed, else the first that is to be had
# pkg_means NAME...             `name other how` for what a name stands for. `for`: the name is nobody's own, and the other
#                               provides it; `with`: it is a metapackage, a group or a transitional package, of which the
#                               other is part. Only what is installed or in pkg_gone (went, may come back)
# pkg_provider NAME             for a name that is nobody's own: the one package to be had that provides it
# pkg_held                      after a pkg_plan that failed: what it would have changed and the administrator keeps as it
#                               is (apt-mark hold, HoldPkg)
# pkg_left PATH TAR             removes what the manager left of a file in /etc under another name, unless TAR has it
#
# For the questions that a manager answers for one package only, it has pkg_goes NAME and pkg_goes_for NAME (names that go
# where it is removed, or installed), pkg_is_auto NAME, pkg_files NAME, pkg_conffiles NAME, pkg_owners PATH instead.
#
# Nothing ever asks. Recommended packages are not installed: chapters name what they need. Files that the administrator
# changed are kept. Another package manager at work is waited for, lock_wait seconds at most (a value of the script; 300
# by default), then the script ends with status 72. Progress goes to stderr, errors at its end.
#
# uses: hosts/system/distro.sh hosts/packages/apt.sh hosts/packages/apt_means.sh hosts/packages/dnf.sh
# uses: hosts/packages/yum.sh hosts/packages/pacman.sh hosts/packages/zypper.sh
