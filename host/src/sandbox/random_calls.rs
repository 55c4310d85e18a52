//! Host functions under random sequences of calls, as a hostile guest makes them: nothing panics, what is kept has bounds, and
//! nothing is kept afterwards.

use crate::config::egress::{Grant, Grants};
use crate::quota::body_budget::BodyBudget;
use crate::quota::files::FileQuota;
use crate::quota::outbound::Outbound;
use crate::quota::streams::StreamQuota;
use crate::sandbox::bindings::bolt::host::http::Chunk;
use crate::sandbox::http_client::HttpClient;
use crate::sandbox::http_host::Exchanges;
use crate::sandbox::stdio::{GuestOutput, GuestStream, LogRate};
use crate::sandbox::timer::GuestTimer;
use crate::sandbox::uploads::{Spool, Uploads};
use crate::util::blocking::block_on;
use crate::util::random_choices::Choices;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

/// Most exchanges of the instance.
const MOST: usize = 5;
/// Its budget for bodies, in bytes.
const TRANSIT: usize = 256 * 1024;

fn chosen_head(choices: &mut Choices<'_>, address: SocketAddr) -> String {
    let target = match choices.byte() % 6 {
        0 => "http://127.0.0.1:1/".to_owned(),
        1 => "http://elsewhere.invalid/".to_owned(),
        2 => choices.text(),
        _ => format!("http://{address}/"),
    };
    let (method, name) = (["GET", "POST", "CONNECT", "\n", ""], ["a", "content-length", "host", "\n"]);
    let method = method[usize::from(choices.byte()) % method.len()];
    let name = name[usize::from(choices.byte()) % name.len()];
    let timeout = [Some(-1.0), Some(0.0), Some(1e300), None][usize::from(choices.byte()) % 4];
    let headers = vec![(name, choices.text()); usize::from(choices.byte() % 4)];
    serde_json::json!({"method": method, "url": target, "headers": headers, "timeout": timeout}).to_string()
}

/// Make the calls that `data` describes.
pub fn make(data: &[u8]) -> Result<(), String> {
    block_on(calls(Choices(data)))?
}

async fn calls(mut choices: Choices<'_>) -> Result<(), String> {
    // A server that accepts, and neither reads nor answers.
    let mute = TcpListener::bind("127.0.0.1:0").map_err(|e| e.to_string())?;
    let address = mute.local_addr().map_err(|e| e.to_string())?;
    let grants = ["127.0.0.1:1".to_owned(), address.to_string()].map(|text| Grant::parse(&text));
    let grants = Grants::new(grants.into_iter().collect::<Result<_, _>>()?);
    let bodies = BodyBudget::new(TRANSIT);
    let client =
        HttpClient::within(Arc::new(grants), Outbound::new(bodies.clone(), TRANSIT, FileQuota::new(100)));
    let (timer, streams) = (Arc::<GuestTimer>::default(), StreamQuota::new(1, TRANSIT));
    let mut exchanges = Exchanges::new(client, MOST, timer.clone());
    let log_rate = LogRate::new(10_000);
    let output = GuestOutput::new("random".into(), log_rate.clone());
    let files = FileQuota::new(1);
    let uploads = uploads(&mut choices, &files).await?;
    let mut parking = None;
    while !choices.0.is_empty() {
        match choices.byte() % 12 {
            0..3 => {
                let (head, body) = (chosen_head(&mut choices, address), choices.text());
                let number = exchanges.begin(&head, &body, choices.byte().is_multiple_of(2));
                let answer = exchanges.response(number);
                assert!(number != 0 || answer.contains("\"limit\""), "{answer}");
                assert!(answer.len() < 4096, "{} bytes of a problem", answer.len());
            }
            3 | 4 => {
                let number = choices.number();
                exchanges.write(number, &choices.text(), !choices.byte().is_multiple_of(4));
            }
            5 => drop(exchanges.response(choices.number())),
            // There is no response.
            6 if choices.byte() > 200 => {
                let place = streams.open().ok_or("the place was not given back")?;
                assert!(exchanges.hand_over(choices.number(), place).is_none());
            }
            6 => match exchanges.read(choices.number()) {
                Chunk::Data(part) => assert!(part.len() <= 64 * 1024),
                Chunk::Failed(problem) => assert!(problem.len() < 4096),
                Chunk::Pending | Chunk::End => {}
            },
            7 => exchanges.close(choices.number()),
            8 => {
                let news = exchanges.take_news();
                assert!(news.len() <= MOST && !news.contains(&0), "{news:?}");
            }
            9 => {
                let streams = [GuestStream::Stdout, GuestStream::Stderr, GuestStream::Error];
                let stream = streams[usize::from(choices.byte()) % 3];
                output.write(choices.number(), stream, &choices.text());
            }
            10 => {
                let (file, offset) = (choices.number(), choices.number());
                let part = uploads.read(file as usize, offset, usize::from(choices.byte()) << 12);
                assert!(part.len() <= 256 * 1024);
            }
            _ => {
                timer.set(Duration::from_nanos(choices.number()));
                // A second one is refused while the first is there.
                let next = timer.parking();
                assert_eq!(next.is_none(), parking.is_some());
                parking = if parking.is_some() { None } else { next };
                let waiting = std::pin::pin!(exchanges.changed(choices.number()));
                let _ = waiting.poll(&mut Context::from_waker(Waker::noop()));
            }
        }
        assert!(bodies.taken() <= TRANSIT);
        assert!(exchanges.count() <= MOST);
        tokio::task::yield_now().await;
    }
    drop(exchanges);
    // Tasks end when the runtime next polls them, and connections after that.
    let all_given_back = async {
        while bodies.taken() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let timely = tokio::time::timeout(Duration::from_secs(120), all_given_back).await;
    timely.map_err(|_| format!("{} bytes are still reserved", bodies.taken()))
}

async fn uploads(choices: &mut Choices<'_>, files: &FileQuota) -> Result<Uploads, String> {
    let mut uploads = Uploads::default();
    for _ in 0..choices.byte() % 3 {
        let mut spool = Spool::within(files.clone(), BodyBudget::new(TRANSIT));
        let part = vec![choices.byte(); usize::from(choices.byte()) << 11];
        let mut is_stored = true;
        for _ in 0..choices.byte() % 8 {
            is_stored = is_stored && spool.take(&part).await.is_ok();
        }
        if is_stored {
            spool.finish().await.map_err(|e| e.to_string())?;
            uploads.push(spool);
        }
    }
    Ok(uploads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_sequence_of_calls_panics_or_keeps_anything(data in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(make(&data), Ok(()));
        }
    }

    fn client(grants: &[String], transit: usize) -> Arc<HttpClient> {
        let grants = grants.iter().map(|text| Grant::parse(text).unwrap()).collect();
        let files = FileQuota::new(100);
        HttpClient::within(
            Arc::new(Grants::new(grants)),
            Outbound::new(BodyBudget::new(transit), transit, files),
        )
    }

    fn head(address: SocketAddr) -> String {
        format!(r#"{{"method": "POST", "url": "http://{address}/", "headers": [], "timeout": null}}"#)
    }

    #[tokio::test]
    async fn refused_exchanges_count_until_they_are_closed_and_nothing_is_kept_of_more() {
        let mut exchanges = Exchanges::new(client(&[], TRANSIT), MOST, Arc::default());
        let numbers: Vec<_> = (0..100_000).map(|_| exchanges.begin("{}", "", false)).collect();
        assert_eq!(numbers.iter().filter(|number| **number != 0).count(), MOST);
        assert_eq!(exchanges.count(), MOST);
        assert!(exchanges.response(0).contains("\"limit\""), "{}", exchanges.response(0));
        assert!(exchanges.response(1).contains("\"invalid\""), "{}", exchanges.response(1));
        exchanges.close(1);
        assert_eq!(exchanges.take_news(), [2, 3, 4, 5]);
        assert_eq!(exchanges.begin("{}", "", false), 6);
        assert_eq!(exchanges.begin("{}", "", false), 0);
    }

    #[tokio::test]
    async fn bodies_that_wait_are_bounded_and_the_guest_is_told_when_there_is_room() {
        let mute = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = mute.local_addr().unwrap();
        let client = client(&[address.to_string()], TRANSIT);
        let bodies = client.outbound.bodies.clone();
        let mut exchanges = Exchanges::new(client, 100, Arc::default());
        let chunk = "ä".repeat(TRANSIT / 2);
        let numbers: Vec<_> = (0..20).map(|_| exchanges.begin(&head(address), "", true)).collect();
        let first = exchanges.begin(&head(address), &chunk, true);
        let second = exchanges.begin(&head(address), &chunk, false);
        assert_eq!(bodies.taken(), TRANSIT);
        // What was given at the beginning has to fit at once.
        let third = exchanges.begin(&head(address), &chunk, false);
        assert!(exchanges.response(third).contains("\"limit\""), "{}", exchanges.response(third));
        assert!(numbers.iter().all(|number| !exchanges.write(*number, &chunk, true)));
        // More than there ever is.
        assert!(exchanges.write(numbers[0], &"x".repeat(TRANSIT + 1), true));
        assert!(exchanges.response(numbers[0]).contains("\"limit\""));
        exchanges.close(first);
        exchanges.close(second);
        // The connections that hold the bodies end after their exchanges.
        while exchanges.response(numbers[1]).is_empty() && !exchanges.write(numbers[1], &chunk, true) {
            exchanges.changed(numbers[1]).await;
            assert!(bodies.taken() <= TRANSIT);
        }
        assert_eq!(exchanges.response(numbers[1]), "");
    }

    #[tokio::test]
    async fn an_instance_parks_once_at_a_time() {
        let timer = Arc::<GuestTimer>::default();
        let parking = timer.parking().unwrap();
        assert!(timer.parking().is_none());
        timer.set(Duration::ZERO);
        parking.wait().await;
        // A call that is given up parks no more.
        drop(timer.parking().unwrap());
        tokio::select! {
            () = timer.parking().unwrap().wait() => unreachable!("nothing rang"),
            () = async {} => {}
        }
        assert!(timer.parking().is_some());
    }
}
