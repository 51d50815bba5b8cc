//! What a thread asks of the scheduler: timers that fire on time, to run at once when it wakes, or to
//! run after those.

use std::mem::size_of;
use std::ptr;

pub fn sharpen_timers() {
    // SAFETY: takes no pointer. A refusal leaves the timers as they were.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) };
}

/// As `sched_setattr` takes it.
#[repr(C)]
struct SchedulingAttributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Since Linux 6.12 an ordinary thread may say how long its turns should be; a waking one with shorter
/// turns goes first. The shortest that there is, 100 us. Earlier kernels take no notice.
pub fn ask_for_short_slices() {
    const SLICE: u64 = 100_000;
    // Whoever was given another place in the queue, by `chrt` say, keeps it.
    if policy() != libc::SCHED_OTHER {
        return;
    }
    // SAFETY: takes no pointer.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    let attributes = SchedulingAttributes {
        size: size_of::<SchedulingAttributes>() as u32,
        policy: libc::SCHED_OTHER as u32,
        flags: 0,
        nice,
        priority: 0,
        runtime: SLICE,
        deadline: 0,
        period: 0,
    };
    // SAFETY: the structure is alive, and says its own size. A refusal leaves things as they were.
    unsafe { libc::syscall(libc::SYS_sched_setattr, 0, ptr::from_ref(&attributes), 0) };
}

/// At a real-time priority, `chrt -f` for one.
pub fn runs_ahead_of_all() -> bool {
    [libc::SCHED_FIFO, libc::SCHED_RR].contains(&policy())
}

/// A batch thread never interrupts another because it wakes.
pub fn give_way() {
    if ![libc::SCHED_OTHER, libc::SCHED_FIFO, libc::SCHED_RR].contains(&policy()) {
        return;
    }
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the structure is alive. A refusal leaves things as they were.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &parameters) };
}

/// And with a small weight it does not keep one that wakes from going first either.
pub fn stay_behind() {
    const NICE: libc::c_int = 10;
    give_way();
    // SAFETY: takes no pointer.
    let nice = unsafe { libc::getpriority(libc::PRIO_PROCESS, 0) };
    // SAFETY: takes no pointer; it is this thread's alone. A refusal leaves things as they were.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice.max(NICE)) };
}

/// Of this thread.
fn policy() -> libc::c_int {
    const RESET_ON_FORK: libc::c_int = 0x4000_0000;
    // SAFETY: takes no pointer.
    (unsafe { libc::sched_getscheduler(0) }) & !RESET_ON_FORK
}
