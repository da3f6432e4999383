//! Examples at the end of each help, as they are typed where a dump is in `dump/`, a server in `web/`, a container's in
//! `checkpoint.tar.gz`, and a checkout of CRIU in `criu/`. A test runs them all there.

pub(super) const CRIT: &str = "\
Examples:
  $ crit show dump/pstree.img              an image, for people
  $ crit x dump ps --tree                  the processes of a checkpoint
  $ crit x checkpoint.tar.gz all           everything, of a container's archive
  $ crit check dump                        before `criu restore`
  $ crit COMMAND --help                    more of each; `crit man` has it as manual pages

Exit codes: 0 done, 1 the answer is no, 2 an error.";

pub(super) const DECODE: &str = "\
Examples:
  $ crit decode -i dump/core-100.img --pretty
  $ crit decode --from checkpoint.tar.gz -i pstree.img
  $ crit decode -i dump/pstree.img --schema-dir criu    the image of an unreleased CRIU
  $ crit decode -d dump -o json                         every image of a checkpoint: json/NAME.json
  $ crit decode -i dump/fs-100.img | sed 's/\"umask\": 18/\"umask\": 0/' | crit encode -o fs.img";

pub(super) const ENCODE: &str = "\
Examples:
  $ crit decode -i dump/pstree.img | crit encode -o pstree.img
  $ crit decode -d dump -o json && crit encode -d json -o again    every image, and back";

pub(super) const SHOW: &str = "\
Examples:
  $ crit show dump/mm-100.img
  $ crit show --from checkpoint.tar.gz inventory.img";

pub(super) const INFO: &str = "\
Examples:
  $ crit info dump/pagemap-100.img
  $ crit info dump/pstree.img dump/core-*.img     one JSON array";

pub(super) const X: &str = "\
Examples:
  $ crit x dump ps --tree --args           processes with their command lines
  $ crit x checkpoint.tar.gz fds -p 100    open files of a task and those below it
  $ crit x dump mems --json";

pub(super) const STATS: &str = "\
Examples:
  $ crit stats dump
  $ crit stats checkpoint.tar.gz --json";

pub(super) const LS: &str = "\
Examples:
  $ crit ls dump --largest
  $ crit ls checkpoint.tar.gz dump         one line for each";

pub(super) const GET: &str = "\
Examples:
  $ crit get dump/core-100.img tc.comm
  $ crit get dump/files.img 'entries[type=REG].reg.name'
  $ crit get --from checkpoint.tar.gz pstree.img 'entries[*].pid' --json";

pub(super) const SET: &str = "\
Numbers are decimal, or have a prefix: 0x1f, 0o22, 0b11. A leading zero is refused, and so is a value that
cannot be right for its field: port 70000, a mode without a type of file.

Examples:
  $ crit set dump/core-100.img tc.comm=other --dry-run
  $ crit set dump/fs-100.img umask=0x3f --backup
  $ crit set dump/pstree.img entries[0].pgid=1";

pub(super) const EDIT: &str = "\
Examples:
  $ EDITOR='sed -i s/18/63/' crit edit dump/fs-100.img --backup";

pub(super) const DIFF: &str = "\
Examples:
  $ crit diff dump/core-100.img dump/core-100.img
  $ crit diff dump checkpoint.tar.gz
  $ crit diff dump checkpoint.tar.gz --files --show-unchanged";

pub(super) const REPLACE: &str = "\
The roots of bind mounts, and names and owners in the tarballs of dumped tmpfs, change too. Files that
mention an old value and can't be changed are named in warnings, and so are fields that the schema does not
know: they are not searched. Each OLD must be found, or nothing is changed.

Examples:
  $ crit replace web --ip 127.0.0.1=10.0.0.2 --dry-run
  $ crit replace dump --path /srv/demo=/srv/other --backup
  $ crit replace dump --comm i386=other --uid 0=1000";

pub(super) const RECODE: &str = "\
Examples:
  $ crit recode dump
  $ crit recode checkpoint.tar.gz dump/pstree.img";

pub(super) const CHECK: &str = "\
An error means that `criu restore` fails, whatever its options. A warning names an option that restore
needs, or what becomes another. A note has no consequence. Errors come first; findings of one rule are one
line, with their count. Files, process ids and kernel features of the machine are not looked at.

Examples:
  $ crit check dump
  $ crit check dump checkpoint.tar.gz --json";

pub(super) const MEM: &str = "\
Examples:
  $ crit mem dump                                    how much of each task is where
  $ crit mem dump -p 100                             its areas
  $ crit mem dump -s 'secret' --region heap -c 16    exit code 1 when it is nowhere
  $ crit mem checkpoint.tar.gz -p 100 --strings 12
  $ crit mem dump -p 100 --args";

pub(super) const COREDUMP: &str = "\
Examples:
  $ mkdir cores && crit coredump dump -o cores
  $ crit coredump dump -p 100";

pub(super) const SCHEMA: &str = "\
Examples:
  $ crit schema list
  $ crit schema show PSTREE
  $ crit schema diff built-in criu        what a branch changes; exit code 1 when something does
  $ crit schema export -o criu.binpb";

pub(super) const SCHEMA_LIST: &str = "\
Examples:
  $ crit schema list
  $ crit schema list --schema-dir criu --json     the kinds of a checkout";

pub(super) const SCHEMA_SHOW: &str = "\
Examples:
  $ crit schema show PSTREE
  $ crit schema show 0x50273030            the kind of an image by its magic
  $ crit schema show core_entry --nested";

pub(super) const SCHEMA_DIFF: &str = "\
Examples:
  $ crit schema diff built-in criu         what a branch changes; exit code 1 when something does";

pub(super) const SCHEMA_CHECK: &str = "\
Examples:
  $ crit schema check
  $ crit schema check criu                 a checkout";

pub(super) const SCHEMA_EXPORT: &str = "\
Examples:
  $ crit schema export -o criu.binpb
  $ crit schema export | wc -c             to stdout; `--descriptor-set` reads it";

pub(super) const EXPORT: &str = "\
Examples:
  $ crit export dump checkpoint.tar.gz --jsonl -o all.jsonl
  $ crit export dump --magic PAGEMAP --magic FILES | head -n 3
  $ crit export dump web --pretty | grep 127.0.0.1";

pub(super) const REPORT: &str = "\
Examples:
  $ crit report dump -o report.html
  $ crit report checkpoint.tar.gz -o report.html";

pub(super) const MAN: &str = "\
Examples:
  $ crit man decode | man -l -
  $ crit man -o man1                      a page for each command: man1/crit-decode.1, ...";

pub(super) const COMPLETIONS: &str = "\
Examples:
  $ crit completions bash > crit.bash     into /usr/share/bash-completion/completions/crit
  $ crit completions zsh > _crit          into a folder of $fpath
  $ crit completions fish > crit.fish     into ~/.config/fish/completions";
