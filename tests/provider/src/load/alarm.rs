//! Wakes an epoll at an instant, to the microsecond: epoll's own timeout counts in milliseconds.

use std::os::fd::OwnedFd;

use rustix::event::{Timespec, epoll};
use rustix::io::Result;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};

/// The number its event has.
pub(super) const ALARM: u64 = u64::MAX;

#[derive(Debug)]
pub(super) struct Alarm {
    timer: OwnedFd,
    set_for: u64,
}

impl Alarm {
    pub(super) fn new(epoll: &OwnedFd) -> Result<Self> {
        let timer = timerfd_create(
            TimerfdClockId::Monotonic,
            TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC,
        )?;
        // Edge-triggered: setting it anew is enough, it need not be read.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(epoll, &timer, epoll::EventData::new_u64(ALARM), flags)?;
        Ok(Self { timer, set_for: 0 })
    }

    /// Wakes at `ns` on the monotonic clock; at once, when that is past.
    pub(super) fn set(&mut self, ns: u64) -> Result<()> {
        if self.set_for == ns {
            return Ok(());
        }
        self.set_for = ns;
        let it_value = Timespec {
            tv_sec: (ns / 1_000_000_000) as i64,
            tv_nsec: (ns % 1_000_000_000) as i64,
        };
        let once = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once).map(drop)
    }
}
