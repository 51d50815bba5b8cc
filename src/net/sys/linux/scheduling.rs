//! A thread's requests to the scheduler: minimal timer slack, a short time slice, or a lower priority.

use std::mem::size_of;
use std::ptr;

pub(crate) fn set_min_timer_slack() {
    // SAFETY: takes no pointer. A refusal leaves the timers as they were.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1, 0, 0, 0) };
}

/// As many open files as the administrator allows: the limit that is in effect is often lower.
pub(crate) fn raise_open_files() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the structure is alive.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } == 0;
    if known && limit.rlim_cur < limit.rlim_max {
        limit.rlim_cur = limit.rlim_max;
        // SAFETY: as above. A refusal leaves things as they were.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    }
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

/// Since Linux 6.12 a thread may request a time slice, and a waking thread with a shorter one runs first. 100 us is
/// the shortest. Earlier kernels ignore it.
pub(crate) fn request_short_timeslice() {
    const SLICE: u64 = 100_000;
    // A thread that was given another policy, by `chrt` say, keeps it.
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

pub(crate) fn is_realtime() -> bool {
    [libc::SCHED_FIFO, libc::SCHED_RR].contains(&policy())
}

/// A batch thread never interrupts another because it wakes.
pub(crate) fn use_batch_class() {
    if ![libc::SCHED_OTHER, libc::SCHED_FIFO, libc::SCHED_RR].contains(&policy()) {
        return;
    }
    let parameters = libc::sched_param { sched_priority: 0 };
    // SAFETY: the structure is alive. A refusal leaves things as they were.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_BATCH, &parameters) };
}

/// With a small weight it does not keep a waking thread from running first either.
pub(crate) fn lower_priority() {
    const NICE: libc::c_int = 10;
    use_batch_class();
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
