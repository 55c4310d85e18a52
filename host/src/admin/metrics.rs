//! The host's metrics, in the format that Prometheus reads (OpenMetrics text).

use crate::apps::app::App;
use crate::apps::registry::AppTable;
use crate::error::{FAULTS, OVERLOADS};
use crate::manifest::isolation::Isolation;
use crate::pool::instance_pool::InstancePool;
use crate::sandbox::pagemap::{Maps, PAGE, Written};
use crate::telemetry::counters::{AppCounters, BOUNDS, OUTCOMES, RouteCounters};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The media type of [`text`].
pub const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics, summed over the workers.
pub fn text(apps: &AppTable) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("bolt");
    registry.register_collector(Box::new(Counted::look(apps)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// A snapshot of the apps and their pools.
struct Counted {
    apps: Vec<Counts>,
}

struct Counts {
    name: String,
    app: Arc<App>,
    stats: Vec<Arc<AppCounters>>,
    pools: Vec<Arc<InstancePool>>,
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.apps.iter().map(|counts| &counts.name)).finish()
    }
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfApp {
    app: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfRoute {
    app: String,
    method: String,
    route: String,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfOutcome {
    app: String,
    method: String,
    route: String,
    status: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfKind {
    app: String,
    kind: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfReason {
    app: String,
    why: &'static str,
}

/// `isolation` and `handlers` tell the pools of an app apart.
#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfPool {
    app: String,
    isolation: &'static str,
    handlers: &'static str,
}

#[derive(Debug, Clone, Hash, PartialEq, Eq, EncodeLabelSet)]
struct OfState {
    app: String,
    isolation: &'static str,
    handlers: &'static str,
    state: &'static str,
}

impl Counted {
    fn look(apps: &AppTable) -> Self {
        let counts = apps.slots().iter().filter_map(|slot| {
            let app = slot.app()?;
            Some(Counts { name: slot.name.clone(), stats: app.counters(), pools: app.pools().collect(), app })
        });
        Self { apps: counts.collect() }
    }
}

impl Counts {
    fn label(&self) -> OfApp {
        OfApp { app: self.name.clone() }
    }

    /// Each route with its counters on all workers; the last entry stands for requests without a route.
    fn routes(&self) -> impl Iterator<Item = (OfRoute, Vec<&RouteCounters>)> {
        let routes = &self.app.manifest.routes;
        (0..=routes.len()).filter_map(move |index| {
            let stats: Vec<_> = self.stats.iter().filter_map(|stats| stats.routes.get(index)).collect();
            let is_used = stats.iter().any(|route| route.times.iter().any(|time| load(time) > 0));
            let (method, path) =
                routes.get(index).map_or(("", ""), |route| (route.method.as_str(), &route.path));
            let label = OfRoute { app: self.name.clone(), method: method.to_owned(), route: path.to_owned() };
            is_used.then_some((label, stats))
        })
    }

    /// Pools of the same isolation and kind of handlers, on all workers, under one label.
    fn pools(&self) -> Vec<(OfPool, Vec<&InstancePool>)> {
        let mut all: Vec<(OfPool, Vec<&InstancePool>)> = Vec::new();
        for pool in &self.pools {
            let isolation = match pool.policy.isolation {
                Isolation::Fresh => "fresh",
                Isolation::Serial => "serial",
                Isolation::Concurrent => "concurrent",
            };
            let handlers = if pool.policy.is_async { "async def" } else { "def" };
            let label = OfPool { app: self.name.clone(), isolation, handlers };
            match all.iter_mut().find(|(other, _)| *other == label) {
                Some((_, pools)) => pools.push(pool),
                None => all.push((label, vec![pool])),
            }
        }
        all
    }
}

fn load(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn mean(values: impl ExactSizeIterator<Item = usize>) -> u64 {
    let count = values.len().max(1) as u64;
    values.map(|value| value as u64).sum::<u64>() / count
}

fn sum<'c>(counters: impl Iterator<Item = &'c AtomicU64>) -> u64 {
    counters.map(load).sum()
}

/// Writes one metric after the other, each with all its labels, as the format requires.
struct Writer<'e> {
    encoder: DescriptorEncoder<'e>,
}

impl Writer<'_> {
    fn counter<L: EncodeLabelSet>(
        &mut self,
        (name, help): (&str, &str),
        rows: impl Iterator<Item = (L, f64)>,
    ) -> fmt::Result {
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (label, value) in rows {
            metric.encode_family(&label)?.encode_counter::<NoLabelSet, _, f64>(&value, None)?;
        }
        Ok(())
    }

    fn gauge<L: EncodeLabelSet>(
        &mut self,
        (name, help): (&str, &str),
        rows: impl Iterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (label, value) in rows {
            metric.encode_family(&label)?.encode_gauge(&value)?;
        }
        Ok(())
    }

    fn times<'c>(
        &mut self,
        (name, help): (&str, &str),
        rows: impl Iterator<Item = (OfRoute, Vec<&'c RouteCounters>)>,
    ) -> fmt::Result {
        let mut metric = self.encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
        for (label, stats) in rows {
            let class = |index| sum(stats.iter().map(|route: &&RouteCounters| &route.times[index]));
            let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.enumerate().map(|(index, bound)| (bound, class(index))).collect();
            let total = buckets.iter().map(|(_, count)| count).sum();
            let seconds = sum(stats.iter().map(|route| &route.micros)) as f64 / 1e6;
            metric.encode_family(&label)?.encode_histogram::<NoLabelSet>(seconds, total, &buckets, None)?;
        }
        Ok(())
    }
}

impl Collector for Counted {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut writer = Writer { encoder };
        let apps = || self.apps.iter();
        writer.counter(
            ("requests", "Requests by route and status; \"gone\": the client hung up"),
            apps().flat_map(|counts| {
                counts.routes().flat_map(|(OfRoute { app, method, route }, stats)| {
                    let rows = OUTCOMES.into_iter().enumerate().map(move |(index, status)| {
                        let count = sum(stats.iter().map(|route| &route.outcomes[index]));
                        let (app, method, route) = (app.clone(), method.clone(), route.clone());
                        (OfOutcome { app, method, route, status }, count as f64)
                    });
                    rows.filter(|(_, count)| *count > 0.0).collect::<Vec<_>>()
                })
            }),
        )?;
        writer.times(
            ("request_seconds", "Time from the head of a request to that of its response"),
            apps().flat_map(Counts::routes),
        )?;
        writer.gauge(
            ("requests_in_flight", "Requests in flight"),
            apps().map(|counts| {
                let now = counts.stats.iter().map(|stats| stats.in_flight.load(Ordering::Relaxed) as u64);
                (counts.label(), now.sum())
            }),
        )?;
        writer.gauge(
            ("streams_open", "Responses that flow now, by route"),
            apps().flat_map(|counts| {
                let open = |route: &&RouteCounters| load(&route.streams[0]);
                counts.routes().map(move |(label, stats)| (label, stats.iter().map(open).sum()))
            }),
        )?;
        writer.counter(
            ("streams", "Responses that have flowed to their end, by route"),
            apps().flat_map(|counts| {
                let ended = |stats: Vec<&RouteCounters>| sum(stats.iter().map(|route| &route.streams[1]));
                counts.routes().map(move |(label, stats)| (label, ended(stats) as f64))
            }),
        )?;
        writer.counter(
            (
                "topic_events",
                "Events of topics: published, missed by subscribers that were too slow, lost by the broker",
            ),
            apps().flat_map(|counts| {
                let topics = &counts.app.component.spec.topics;
                [("published", &topics.published), ("missed", &topics.missed), ("lost", &topics.lost)]
                    .map(|(kind, count)| (OfKind { app: counts.name.clone(), kind }, load(count) as f64))
            }),
        )?;
        writer.gauge(
            ("topics", "Topics, and subscriptions to them"),
            apps().flat_map(|counts| {
                let (topics, subscriptions) = counts.app.component.spec.topics.counts();
                [("topics", topics), ("subscriptions", subscriptions)]
                    .map(|(kind, count)| (OfKind { app: counts.name.clone(), kind }, count as u64))
            }),
        )?;
        writer.gauge(
            ("stream_bytes", "Bytes between handlers and the clients of their streams"),
            apps().map(|counts| (counts.label(), counts.app.component.spec.streams.held() as u64)),
        )?;
        writer.counter(
            ("faults", "Requests that failed in the app or the host, by cause"),
            apps().flat_map(|counts| {
                FAULTS.into_iter().enumerate().map(|(index, kind)| {
                    let count = sum(counts.stats.iter().map(|stats| &stats.faults[index]));
                    (OfKind { app: counts.name.clone(), kind }, count as f64)
                })
            }),
        )?;
        writer.counter(
            ("sent_away", "Requests that were refused, because too many waited or came"),
            apps().flat_map(|counts| {
                OVERLOADS.into_iter().enumerate().map(|(index, why)| {
                    let count = sum(counts.stats.iter().map(|stats| &stats.overloads[index]));
                    (OfReason { app: counts.name.clone(), why }, count as f64)
                })
            }),
        )?;
        writer.counter(
            ("log_bytes", "Bytes of the app's output: logged, and left out of the log"),
            apps().flat_map(|counts| {
                let rate = &counts.app.component.spec.log_rate;
                [("logged", &rate.written), ("left out", &rate.dropped)]
                    .map(|(kind, bytes)| (OfKind { app: counts.name.clone(), kind }, load(bytes) as f64))
            }),
        )?;
        writer.gauge(
            ("transit_bytes", "Memory of large bodies that arrive or are sent"),
            apps().map(|counts| (counts.label(), counts.app.bodies.taken() as u64)),
        )?;
        self.encode_pools(&mut writer)?;
        self.encode_memories(&mut writer)
    }
}

impl Counted {
    fn encode_memories(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let maps = Maps::look();
        let written = |counts: &Counts| maps.as_ref()?.written(&counts.app.component.image);
        let looked: Vec<_> =
            self.apps.iter().filter_map(|counts| Some((counts.label(), written(counts)?))).collect();
        type Value = fn(&[Written]) -> u64;
        let gauges: [(&str, &str, Value); 4] = [
            ("memories", "Memories of instances, and those kept of ended instances after a reset", |all| {
                all.len() as u64
            }),
            ("memories_bytes", "Bytes of these memories that are not shared with the app's image", |all| {
                all.iter().map(|written| written.pages as u64).sum::<u64>() * PAGE
            }),
            ("written_pages", "Pages that an instance writes to, on average; a reset restores them", |all| {
                mean(all.iter().map(|written| written.pages))
            }),
            ("written_runs", "Contiguous runs of these pages; at most 32 are reset in place", |all| {
                mean(all.iter().map(|written| written.runs))
            }),
        ];
        for (name, help, value) in gauges {
            writer.gauge((name, help), looked.iter().map(|(label, all)| (label.clone(), value(all))))?;
        }
        Ok(())
    }

    fn encode_pools(&self, writer: &mut Writer<'_>) -> fmt::Result {
        let pools: Vec<_> = self.apps.iter().flat_map(Counts::pools).collect();
        type Value = fn(&InstancePool) -> usize;
        let gauges: [(&str, &str, Value); 2] = [
            ("queue", "Requests that wait for an instance", |pool| pool.counts().queued),
            ("spares_wanted", "Instances to keep warm", |pool| pool.counts().spares),
        ];
        for (name, help, value) in gauges {
            let rows = pools
                .iter()
                .map(|(label, pools)| (label.clone(), pools.iter().map(|pool| value(pool) as u64).sum()));
            writer.gauge((name, help), rows)?;
        }
        writer.gauge(
            ("instances", "Instances by state"),
            pools.iter().flat_map(|(OfPool { app, isolation, handlers }, pools)| {
                let counts: Vec<_> = pools.iter().map(|pool| pool.counts()).collect();
                let row = |state, value: usize| {
                    (OfState { app: app.clone(), isolation, handlers, state }, value as u64)
                };
                [
                    row("idle", counts.iter().map(|now| now.idle).sum()),
                    row("busy", counts.iter().map(|now| now.busy).sum()),
                    row("leaving", counts.iter().map(|now| now.leaving).sum()),
                ]
            }),
        )?;
        type Count = fn(&InstancePool) -> f64;
        let counters: [(&str, &str, Count); 4] = [
            ("instance_hits", "Requests that found an instance ready", |pool| {
                load(&pool.counters.hits) as f64
            }),
            ("instance_misses", "Requests that waited for an instance to be created", |pool| {
                load(&pool.counters.misses) as f64
            }),
            ("instances_ended", "Instances that have ended", |pool| load(&pool.counters.ended) as f64),
            ("wiping_seconds", "Time to reset the memory of ended instances", |pool| {
                load(&pool.counters.wiping_nanos) as f64 / 1e9
            }),
        ];
        for (name, help, count) in counters {
            let rows = pools
                .iter()
                .map(|(label, pools)| (label.clone(), pools.iter().map(|pool| count(pool)).sum()));
            writer.counter((name, help), rows)?;
        }
        Ok(())
    }
}
