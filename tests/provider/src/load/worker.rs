//! One thread with its connections and one epoll.

use std::collections::VecDeque;
use std::io;
use std::num::NonZeroU64;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use super::alarm::{ALARM, Alarm};
use super::connection::{Connection, Progress};
use super::stats::Stats;
use super::{Amount, LoadError, LoadOptions};
use crate::clock::now_ns;

/// The other side has closed, or the connection is broken.
const ENDED: epoll::EventFlags = epoll::EventFlags::RDHUP
    .union(epoll::EventFlags::HUP)
    .union(epoll::EventFlags::ERR);

pub(super) struct Worker {
    options: LoadOptions,
    request: Arc<[u8]>,
    epoll: OwnedFd,
    connections: Vec<Connection>,
    idle: Vec<usize>,
    schedule: Option<Schedule>,
    alarm: Option<Alarm>,
    /// Intended starts that wait for a free connection.
    late: VecDeque<u64>,
    /// Requests that may still be started.
    left: u64,
    running: usize,
    stats: Stats,
}

/// Starts at a fixed rate; the threads take them in turn.
struct Schedule {
    next: u64,
    every: f64,
    count: u64,
    base: u64,
}

impl Schedule {
    fn advance(&mut self) {
        self.count += 1;
        self.next = self.base + (self.count as f64 * self.every) as u64;
    }
}

impl Worker {
    pub(super) fn new(
        options: &LoadOptions,
        request: Arc<[u8]>,
        n: usize,
        of: usize,
    ) -> Result<Self, LoadError> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)
            .map_err(|error| system("epoll_create", error.into()))?;
        let alarm = options.rate.map(|_| Alarm::new(&epoll)).transpose();
        let alarm = alarm.map_err(|error| system("timerfd_create", error.into()))?;
        let share = |all: u64| all / of as u64 + u64::from((n as u64) < all % of as u64);
        let left = match options.amount {
            Amount::Requests(all) => share(all),
            Amount::Time(_) => u64::MAX,
        };
        let schedule = options.rate.map(|rate| Schedule {
            next: 0,
            every: 1e9 / rate * of as f64,
            count: 0,
            base: (1e9 / rate * n as f64) as u64,
        });
        let mut worker = Self {
            options: options.clone(),
            request,
            epoll,
            connections: Vec::new(),
            idle: Vec::new(),
            schedule,
            alarm,
            late: VecDeque::new(),
            left,
            running: 0,
            stats: Stats::default(),
        };
        for index in 0..share(options.connections as u64) as usize {
            let target = options.target;
            let connection = worker
                .connect(index)
                .map_err(|error| LoadError::Connect { target, error })?;
            worker.connections.push(connection);
        }
        Ok(worker)
    }

    fn connect(&self, index: usize) -> io::Result<Connection> {
        let connection = Connection::open(self.options.target, self.request.clone(), self.options.stamped)?;
        let flags =
            epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        epoll::add(
            &self.epoll,
            &connection.tcp,
            epoll::EventData::new_u64(index as u64),
            flags,
        )?;
        Ok(connection)
    }

    pub(super) fn run(mut self) -> Result<Stats, LoadError> {
        // Sleeping to the nanosecond instead of to 50 µs; refused, the starts are a little later.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        let begin = now_ns();
        let counted_from = begin + self.options.warmup.as_nanos() as u64;
        let end = match self.options.amount {
            Amount::Time(time) => counted_from + time.as_nanos() as u64,
            Amount::Requests(_) => u64::MAX,
        };
        self.stats.from_ns = counted_from;
        if let Some(schedule) = &mut self.schedule {
            schedule.base += begin;
            schedule.next = schedule.base;
        }
        self.idle = (0..self.connections.len()).rev().collect();
        let mut events: Vec<epoll::Event> = Vec::with_capacity(256);
        let mut buffer = vec![0; 256 * 1024];
        let mut heard = begin;
        loop {
            let now = now_ns();
            self.start_due(now.min(end));
            if now >= end || (self.left == 0 && self.running == 0 && self.late.is_empty()) {
                break;
            }
            if self.running == 0 {
                heard = now;
            }
            if now.saturating_sub(heard) > self.options.patience.as_nanos() as u64 {
                self.stats.error("nothing heard");
                break;
            }
            let until = self.next_due(end);
            if let Some(alarm) = &mut self.alarm {
                alarm
                    .set(until)
                    .map_err(|error| system("timerfd_settime", error.into()))?;
            }
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&pause(now, until))) {
                Ok(0) => continue,
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(system("epoll_wait", error.into())),
                Ok(_) => {}
            }
            for event in &events {
                if event.data.u64() == ALARM {
                    continue;
                }
                let index = event.data.u64() as usize;
                heard = now;
                let flags = event.flags;
                let progress = self.connections[index].ready(&mut buffer, flags.intersects(ENDED));
                self.progressed(index, progress, counted_from);
            }
        }
        self.stats.to_ns = now_ns().min(end);
        Ok(self.stats)
    }

    /// When something is to be started; in closed loop at once, if a connection is free.
    fn next_due(&self, end: u64) -> u64 {
        match &self.schedule {
            _ if self.left == 0 => end,
            Some(schedule) => schedule.next.min(end),
            None if self.idle.is_empty() => end,
            None => 0,
        }
    }

    /// Starts what is due, as far as connections are free. In closed loop that is one request for each.
    fn start_due(&mut self, now: u64) {
        let Some(schedule) = &mut self.schedule else {
            for index in std::mem::take(&mut self.idle) {
                self.begin(index, None);
            }
            return;
        };
        while schedule.next <= now && self.left > 0 {
            self.late.push_back(schedule.next);
            self.left -= 1;
            schedule.advance();
        }
        while !self.late.is_empty()
            && let Some(index) = self.idle.pop()
        {
            let intended = self.late.pop_front();
            self.left += 1;
            self.begin(index, intended);
        }
    }

    /// Starts a request on a free connection, as long as there are any to start.
    fn begin(&mut self, index: usize, intended: Option<u64>) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        self.running += 1;
        if let Progress::Failed(what) = self.connections[index].start(intended) {
            self.failed(index, what);
        }
    }

    fn progressed(&mut self, index: usize, progress: Progress, counted_from: u64) {
        match progress {
            Progress::Waiting => {}
            Progress::Failed(what) => self.failed(index, what),
            Progress::Answered => {
                self.running -= 1;
                let connection = &self.connections[index];
                if connection.exchange.intended >= counted_from {
                    self.stats.note(&self.options, connection);
                }
                if self.connections[index].reader.closes {
                    self.reconnect(index);
                }
                match self.schedule {
                    Some(_) => self.idle.push(index),
                    None => self.begin(index, None),
                }
            }
        }
    }

    fn failed(&mut self, index: usize, what: &'static str) {
        let was_busy = self.connections[index].busy;
        self.reconnect(index);
        if was_busy {
            self.running -= 1;
            self.stats.error(what);
            // Not asked again at once: a target that refuses everything would never let this return.
            self.idle.push(index);
        }
    }

    fn reconnect(&mut self, index: usize) {
        self.stats.reconnects += 1;
        match self.connect(index) {
            Ok(connection) => self.connections[index] = connection,
            Err(_) => {
                self.stats.error("connect");
                // A target that refuses must not be asked as fast as it can refuse.
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

/// How long to wait at most: until something is due (what is due to the microsecond has an alarm), and not beyond a tenth of a
/// second, so that silence is noticed.
fn pause(now: u64, until: u64) -> Timespec {
    let ns = until.saturating_sub(now).min(100_000_000);
    Timespec {
        tv_sec: 0,
        tv_nsec: ns as i64,
    }
}

fn system(call: &'static str, error: io::Error) -> LoadError {
    LoadError::System { call, error }
}
