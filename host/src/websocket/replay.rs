//! For fuzz targets: a decoder that is fed with any bytes, cut anywhere.

use crate::websocket::decoder::Decoder;
use crate::websocket::message::{Event, Violation};

/// Decode `data` in parts and as a whole: no panic, the same events, and none larger than allowed.
///
/// Its first four bytes are the settings: the limit and the compression, then the sizes of the parts in turn.
pub fn replay(data: &[u8]) {
    let Some(([settings, sizes @ ..], bytes)) = data.split_first_chunk::<4>() else { return };
    let (can_inflate, most) = (settings & 1 != 0, 1 << (settings >> 1 & 15));
    let whole = events(&mut Decoder::new(most, can_inflate), bytes, &[usize::MAX]);
    let parts = events(&mut Decoder::new(most, can_inflate), bytes, &sizes.map(usize::from));
    assert_eq!(whole, parts);
    for event in &whole.0 {
        match event {
            Event::Message(message) => assert!(message.as_bytes().len() <= most),
            Event::Ping(payload) | Event::Pong(payload) => assert!(payload.len() <= 125),
            Event::Close(frame) => {
                assert!(frame.as_ref().is_none_or(|frame| frame.reason.len() <= 123));
            }
        }
    }
}

/// All events of `bytes`, which arrive in parts of these sizes in turn, and what ended them early.
pub fn events(decoder: &mut Decoder, mut bytes: &[u8], sizes: &[usize]) -> (Vec<Event>, Option<Violation>) {
    let mut events = Vec::new();
    for size in sizes.iter().cycle() {
        let (mut part, rest) = bytes.split_at((*size).max(1).min(bytes.len()));
        bytes = rest;
        loop {
            match decoder.next(&mut part) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(violation) => return (events, Some(violation)),
            }
        }
        assert!(part.is_empty());
        if bytes.is_empty() {
            break;
        }
    }
    (events, None)
}
