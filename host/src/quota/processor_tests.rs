//! A discrete-event simulation of one worker: clients in closed loops, and jobs that are asked at every tick.

use super::*;
use proptest::prelude::*;

const TICK: Duration = Duration::from_millis(1);

/// Clients of one app: each sends its next request as soon as it has the reply, after `pause`.
#[derive(Debug, Clone)]
struct Load {
    clients: usize,
    job: Duration,
    pause: Duration,
    weight: u32,
}

impl Load {
    fn new(clients: usize, job_micros: u64) -> Self {
        Self { clients, job: Duration::from_micros(job_micros), pause: Duration::ZERO, weight: WEIGHT }
    }
}

/// What the clients of one app saw.
#[derive(Debug, Default)]
struct Seen {
    waits: Vec<Duration>,
    computed: Duration,
}

impl Seen {
    /// `part` is in thousandths.
    fn percentile(&mut self, part: usize) -> Duration {
        self.waits.sort();
        self.waits[(self.waits.len() - 1) * part / 1000]
    }

    fn mean(&self) -> Duration {
        self.waits.iter().sum::<Duration>() / self.waits.len() as u32
    }
}

struct Job {
    app: usize,
    asked: Duration,
    left: Duration,
    level: usize,
    in_level: Duration,
}

/// Play `time` of load on one core; returns what the clients of each app saw.
fn simulate(loads: &[Load], time: Duration) -> Vec<Seen> {
    let mut processor = Processor::new(1);
    let shares: Vec<_> = loads.iter().map(|load| processor.open(load.weight)).collect();
    let mut seen: Vec<Seen> = loads.iter().map(|_| Seen::default()).collect();
    let mut jobs: Vec<Job> = Vec::new();
    // When each client asks next.
    let mut asking: Vec<(Duration, usize)> = Vec::new();
    for (app, load) in loads.iter().enumerate() {
        asking.extend((0..load.clients).map(|client| (Duration::from_micros(client as u64), app)));
    }
    let (mut now, mut running): (Duration, Option<usize>) = (Duration::ZERO, None);
    while now < time {
        asking.sort();
        while asking.first().is_some_and(|(at, _)| *at <= now) {
            let (asked, app) = asking.remove(0);
            jobs.push(Job { app, asked, left: loads[app].job, level: 0, in_level: Duration::ZERO });
            if processor.enter(shares[app], &(jobs.len() - 1)) {
                assert!(running.replace(jobs.len() - 1).is_none(), "one job at a time");
            }
        }
        let Some(number) = running else {
            now = asking[0].0;
            continue;
        };
        let job = &mut jobs[number];
        let slice = job.left.min(TICK);
        now += slice;
        job.left -= slice;
        job.in_level += slice;
        seen[job.app].computed += slice;
        // Sockets are looked at before the job is asked whether it goes on.
        asking.sort();
        let app = job.app;
        if job.left.is_zero() {
            seen[app].waits.push(now - job.asked);
            asking.push((now + loads[app].pause, app));
            running = processor.leave(shares[app], slice);
            continue;
        }
        while asking.first().is_some_and(|(at, _)| *at <= now) {
            let (asked, app) = asking.remove(0);
            jobs.push(Job { app, asked, left: loads[app].job, level: 0, in_level: Duration::ZERO });
            assert!(!processor.enter(shares[app], &(jobs.len() - 1)));
        }
        let job = &mut jobs[number];
        match processor.reconsider(shares[app], &number, job.level, slice, job.in_level) {
            Verdict::Keeps { level } => {
                if level != job.level {
                    job.in_level = Duration::ZERO;
                }
                job.level = level;
            }
            Verdict::Waits { level, next } => {
                if level != job.level {
                    job.in_level = Duration::ZERO;
                }
                job.level = level;
                running = Some(next);
            }
        }
    }
    seen
}

#[test]
fn equal_short_jobs_wait_equally_long() {
    for (clients, job) in [(16, 300), (64, 300), (256, 300), (64, 800), (256, 800), (64, 3000)] {
        let mut seen = simulate(&[Load::new(clients, job)], Duration::from_secs(5)).remove(0);
        let (mean, late) = (seen.mean(), seen.percentile(990));
        assert!(late <= mean * 11 / 10, "{clients} clients, {job} µs: mean {mean:?}, p99 {late:?}");
        // Nobody else computes, so the core is never idle.
        assert_eq!(seen.computed.as_millis(), 5000, "{clients} clients, {job} µs");
    }
}

#[test]
fn a_neighbour_of_slow_handlers_waits_for_little_and_may_have_half() {
    let slow = Load::new(64, 25_000);
    let paced = Load { pause: Duration::from_millis(5), ..Load::new(1, 20) };
    let mut seen = simulate(&[slow.clone(), paced], Duration::from_secs(5));
    let late = seen[1].percentile(999);
    assert!(late <= Duration::from_millis(3), "{late:?}");
    let seen = simulate(&[slow, Load::new(64, 20)], Duration::from_secs(5));
    let part = seen[1].computed.as_secs_f64() / 5.0;
    assert!((0.45..0.55).contains(&part), "{part}");
}

#[test]
fn weights_divide_the_core() {
    let load = |weight| Load { weight, ..Load::new(8, 5000) };
    let seen = simulate(&[load(100), load(300), load(100)], Duration::from_secs(10));
    let parts: Vec<_> = seen.iter().map(|seen| seen.computed.as_secs_f64() / 10.0).collect();
    for (part, wanted) in parts.iter().zip([0.2, 0.6, 0.2]) {
        assert!((part - wanted).abs() < 0.03, "{parts:?}");
    }
}

/// One that was idle has no claim to the time that it did not use.
#[test]
fn who_comes_late_does_not_shut_out_who_was_there() {
    let mut processor = Processor::new(1);
    let (early, late) = (processor.open(WEIGHT), processor.open(WEIGHT));
    assert!(processor.enter(early, &'e'));
    for _ in 0..10_000 {
        let verdict = processor.reconsider(early, &'e', 0, TICK, TICK);
        assert_eq!(verdict, Verdict::Keeps { level: 0 });
    }
    assert!(!processor.enter(late, &'l'));
    let mut ticks = 0;
    let mut verdict = processor.reconsider(early, &'e', 0, TICK, TICK);
    assert_eq!(verdict, Verdict::Waits { level: 0, next: 'l' });
    while let Verdict::Waits { next: 'l', .. } | Verdict::Keeps { .. } = verdict {
        ticks += 1;
        verdict = processor.reconsider(late, &'l', 0, TICK, TICK);
    }
    assert!((4..10).contains(&ticks), "{ticks} ticks");
}

#[test]
fn short_jobs_of_an_app_wait_for_a_few_quanta_of_its_long_ones() {
    // Both are routes of one app: they have one share.
    let mut processor = Processor::new(1);
    let share = processor.open(WEIGHT);
    assert!(processor.enter(share, &0));
    for long in 1..8 {
        assert!(!processor.enter(share, &long));
    }
    // Each of the long ones uses up its first quantum before a short one comes.
    let mut running = 0;
    for _ in 0..8 {
        match processor.reconsider(share, &running, 0, TICK, quantum(0)) {
            Verdict::Waits { level: 1, next } => running = next,
            verdict => panic!("{verdict:?}"),
        }
    }
    // From now on a short one waits for one short quantum.
    for _ in 0..5 {
        assert!(!processor.enter(share, &100));
        let (mut ticks, mut level) = (0, 1);
        loop {
            ticks += 1;
            match processor.reconsider(share, &running, level, TICK, TICK * ticks) {
                Verdict::Keeps { level: now } => level = now,
                Verdict::Waits { next, .. } => {
                    assert_eq!(next, 100);
                    break;
                }
            }
        }
        assert!(ticks <= 8, "{ticks} ticks");
        running = processor.leave(share, TICK).unwrap();
        assert!(running < 8);
    }
}

#[test]
fn long_jobs_go_on_beside_a_flood_of_short_ones() {
    let mut processor = Processor::new(1);
    let share = processor.open(WEIGHT);
    assert!(processor.enter(share, &0));
    assert!(!processor.enter(share, &1));
    let mut running = match processor.reconsider(share, &0, 0, quantum(0), quantum(0)) {
        Verdict::Waits { next, .. } => next,
        verdict => panic!("{verdict:?}"),
    };
    let mut turns = 0;
    for short in 2..1000 {
        assert!(!processor.enter(share, &short));
        running = processor.leave(share, TICK).unwrap();
        turns += usize::from(running == 0);
        if running == 0 {
            match processor.reconsider(share, &0, 1, TICK, quantum(1)) {
                Verdict::Waits { next, .. } => running = next,
                verdict => panic!("{verdict:?}"),
            }
        }
    }
    assert!((5..20).contains(&turns), "{turns} turns");
    assert_ne!(running, 0);
}

#[derive(Debug, Clone)]
enum Event {
    Enter(usize),
    Leave(usize, u64),
    Reconsider(usize, u64),
    Remove(usize),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..3usize).prop_map(Event::Enter),
        3 => (0..8usize, 0..5000u64).prop_map(|(which, used)| Event::Leave(which, used)),
        3 => (0..8usize, 0..50_000u64).prop_map(|(which, used)| Event::Reconsider(which, used)),
        1 => (0..8usize).prop_map(Event::Remove),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// No core is idle while a job waits, no job is lost, and none computes twice.
    #[test]
    fn cores_are_busy_while_jobs_wait(cores in 1..4usize, events in proptest::collection::vec(event(), 1..200)) {
        let mut processor = Processor::new(cores);
        let shares = [50, 100, 400].map(|weight| processor.open(weight));
        let mut running: Vec<(usize, usize)> = Vec::new();
        let mut waiting: Vec<(usize, usize)> = Vec::new();
        let mut levels = std::collections::HashMap::new();
        for (job, event) in events.into_iter().enumerate() {
            let granted = match event {
                Event::Enter(app) => {
                    let is_running = processor.enter(shares[app], &job);
                    if is_running { running.push((app, job)) } else { waiting.push((app, job)) }
                    None
                }
                Event::Leave(which, used) if !running.is_empty() => {
                    let (app, _) = running.remove(which % running.len());
                    processor.leave(shares[app], Duration::from_micros(used))
                }
                Event::Reconsider(which, used) if !running.is_empty() => {
                    let place = which % running.len();
                    let (app, job) = running[place];
                    let level = levels.entry(job).or_insert(0);
                    let used = Duration::from_micros(used);
                    match processor.reconsider(shares[app], &job, *level, used, used) {
                        Verdict::Keeps { level: now } => {
                            *level = now;
                            None
                        }
                        Verdict::Waits { level: now, next } => {
                            *level = now;
                            running.remove(place);
                            waiting.push((app, job));
                            Some(next)
                        }
                    }
                }
                Event::Remove(which) if !waiting.is_empty() => {
                    let (app, job) = waiting.remove(which % waiting.len());
                    processor.remove(shares[app], &job);
                    None
                }
                _ => None,
            };
            if let Some(next) = granted {
                let place = waiting.iter().position(|(_, job)| *job == next).unwrap();
                running.push(waiting.remove(place));
            }
            prop_assert_eq!(processor.running, running.len());
            prop_assert!(running.len() == cores || waiting.is_empty(), "{:?} {:?}", running, waiting);
        }
    }
}
