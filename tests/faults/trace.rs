//! Runs crit with its system calls counted, and one of them failing or the process killed at it.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

/// What happens to a run; the system calls that have to do with files are counted, from 0.
#[derive(Clone, Copy)]
pub enum Fault {
    None,
    /// Killed before the system call.
    Kill(usize),
    /// The system call is not made and gives this error. Closing is left out: what was written is on
    /// disk by then, and the standard library panics when a directory can't be closed.
    Fail(usize, i32),
    /// The same, if it is a read or a write.
    FailTransfer(usize, i32),
}

pub struct Ended {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    pub stderr: String,
    /// The system calls counted.
    pub calls: usize,
    /// The number of the system call that was made to fail; -1 for none.
    pub failed: i64,
}

/// Waits for a line before it becomes crit: until then it can be seized.
fn spawn(args: &[&str], dir: &Path) -> Child {
    Command::new("sh")
        .args(["-c", r#"read -r go; exec "$0" "$@""#])
        .arg(env!("CARGO_BIN_EXE_crit"))
        .args(args)
        .current_dir(dir)
        // What the dynamic loader searches is not crit's.
        .env_remove("LD_LIBRARY_PATH")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn seize(child: &Child) -> nix::Result<Pid> {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(pid, options).map(|()| pid)
}

/// Whether processes may be traced here.
pub fn allowed() -> nix::Result<()> {
    let mut child = spawn(&["--version"], Path::new("/"));
    let seized = seize(&child);
    child.kill().unwrap();
    child.wait().unwrap();
    seized.map(drop)
}

fn is_running_crit(pid: Pid) -> bool {
    std::fs::read_link(format!("/proc/{pid}/exe"))
        .is_ok_and(|exe| exe == Path::new(env!("CARGO_BIN_EXE_crit")))
}

/// These have to do not with files but with memory, threads and the process itself.
fn is_of_the_process(call: i64) -> bool {
    [
        libc::SYS_brk,
        libc::SYS_mmap,
        libc::SYS_munmap,
        libc::SYS_mprotect,
        libc::SYS_mremap,
        libc::SYS_madvise,
        libc::SYS_execve,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_arch_prctl,
        libc::SYS_set_tid_address,
        libc::SYS_set_robust_list,
        libc::SYS_rseq,
        libc::SYS_clone,
        libc::SYS_clone3,
        libc::SYS_futex,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_sigaltstack,
        libc::SYS_getrandom,
        libc::SYS_prlimit64,
        libc::SYS_sched_getaffinity,
        libc::SYS_poll,
    ]
    .contains(&call)
}

fn is_transfer(call: i64) -> bool {
    [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_writev,
        libc::SYS_pread64,
        libc::SYS_pwrite64,
    ]
    .contains(&call)
}

/// Runs crit to its end. Other children of this process must not end meanwhile: all are waited for,
/// since threads of crit are.
pub fn run(args: &[&str], dir: &Path, fault: Fault) -> Ended {
    let mut child = spawn(args, dir);
    let pid = seize(&child).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"\n").unwrap();
    drop(stdin);
    let (status, calls, failed) = follow(pid, fault);
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().unwrap();
    pipe.read_to_string(&mut stderr).unwrap();
    // It was waited for: there is nothing left but to say so.
    let _ = child.wait();
    Ended {
        code: status,
        stderr,
        calls,
        failed,
    }
}

/// Follows the process from its exec to its end: exit code, calls counted, call made to fail.
fn follow(pid: Pid, fault: Fault) -> (Option<i32>, usize, i64) {
    let mut is_crit = false;
    let mut calls = 0;
    let mut failed = -1;
    // Threads inside a system call, and the error that it is to give.
    let mut inside: Vec<(Pid, Option<i32>)> = Vec::new();
    loop {
        let status = waitpid(Pid::from_raw(-1), Some(WaitPidFlag::__WALL)).unwrap();
        let stopped = match status {
            WaitStatus::Exited(ended, code) if ended == pid => return (Some(code), calls, failed),
            WaitStatus::Signaled(ended, ..) if ended == pid => return (None, calls, failed),
            WaitStatus::PtraceEvent(stopped, _, event) => {
                // The shell's own is seen as well when it was seized at once.
                if event == libc::PTRACE_EVENT_EXEC && is_running_crit(stopped) {
                    is_crit = true;
                    // Its end is the first stop that is seen of it.
                    inside.push((stopped, None));
                }
                stopped
            }
            WaitStatus::PtraceSyscall(stopped) if is_crit => {
                if let Some(at) = inside.iter().position(|(thread, _)| *thread == stopped) {
                    if let (_, Some(errno)) = inside.swap_remove(at) {
                        let mut regs = ptrace::getregs(stopped).unwrap();
                        regs.rax = i64::from(-errno) as u64;
                        ptrace::setregs(stopped, regs).unwrap();
                    }
                } else {
                    let mut regs = ptrace::getregs(stopped).unwrap();
                    let number = regs.orig_rax.cast_signed();
                    let mut errno = None;
                    if !is_of_the_process(number) {
                        match fault {
                            Fault::Kill(call) if call == calls => {
                                kill(pid, Signal::SIGKILL).unwrap();
                            }
                            Fault::Fail(call, with) if call == calls => {
                                errno = Some(with).filter(|_| number != libc::SYS_close);
                            }
                            Fault::FailTransfer(call, with) if call == calls => {
                                errno = Some(with).filter(|_| is_transfer(number));
                            }
                            _ => (),
                        }
                        calls += 1;
                    }
                    if errno.is_some() {
                        failed = number;
                        regs.orig_rax = u64::MAX;
                        ptrace::setregs(stopped, regs).unwrap();
                    }
                    inside.push((stopped, errno));
                }
                stopped
            }
            WaitStatus::Stopped(stopped, signal) => {
                // A thread that begins stops once; any other signal is delivered.
                let deliver = Some(signal).filter(|signal| *signal != Signal::SIGSTOP);
                let _ = ptrace::syscall(stopped, deliver);
                continue;
            }
            WaitStatus::PtraceSyscall(stopped) => stopped,
            _ => continue,
        };
        let _ = if is_crit {
            ptrace::syscall(stopped, None)
        } else {
            ptrace::cont(stopped, None)
        };
    }
}
