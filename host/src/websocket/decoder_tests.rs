//! Tests of the decoder: the examples of RFC 6455 and 7692, broken rules, and what a client can make it keep.

use super::*;
use crate::websocket::replay::events;
use crate::websocket::test_client::frame;

const MOST: usize = 1 << 20;
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn text(text: &str) -> Event {
    Event::Message(Message::Text(text.to_owned()))
}

/// All events of frames, and the code that ends them early.
fn decode(frames: &[Vec<u8>], can_inflate: bool) -> (Vec<Event>, Option<u16>) {
    let (whole, bytes) = (&[usize::MAX], frames.concat());
    let (events, violation) = events(&mut Decoder::new(MOST, can_inflate), &bytes, whole);
    (events, violation.map(|violation| violation.code))
}

#[test]
fn examples_of_rfc_6455() {
    let masked = vec![0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(frame(0x81, MASK, b"Hello"), masked);
    assert_eq!(decode(&[masked], false), (vec![text("Hello")], None));
    let fragments = [frame(0x01, MASK, b"Hel"), frame(0x80, MASK, b"lo")];
    assert_eq!(decode(&fragments, false), (vec![text("Hello")], None));
    let pong = vec![0x8a, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58];
    assert_eq!(decode(&[pong], false), (vec![Event::Pong(b"Hello".to_vec())], None));
    for length in [256, 65_536] {
        let expected = Event::Message(Message::Binary(vec![7; length]));
        assert_eq!(decode(&[frame(0x82, MASK, &vec![7; length])], false), (vec![expected], None));
    }
}

#[test]
fn examples_of_rfc_7692() {
    let hello = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];
    for payload in [
        &hello[..],
        // A block without compression.
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        // A block that ends the stream.
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        // Two blocks.
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
    ] {
        assert_eq!(decode(&[frame(0xc1, MASK, payload)], true), (vec![text("Hello")], None), "{payload:x?}");
        assert_eq!(decode(&[frame(0xc1, MASK, payload)], false), (vec![], Some(1002)));
        for cut in 0..=payload.len() {
            let fragments = [frame(0x41, MASK, &payload[..cut]), frame(0x80, [0; 4], &payload[cut..])];
            assert_eq!(decode(&fragments, true), (vec![text("Hello")], None), "{payload:x?} {cut}");
        }
    }
    // Compression is a property of each message, and contexts are not kept.
    let mixed = [frame(0xc1, MASK, &hello), frame(0x81, MASK, b"plain"), frame(0xc1, MASK, &hello)];
    assert_eq!(decode(&mixed, true), (vec![text("Hello"), text("plain"), text("Hello")], None));
    let referring = [0xf2, 0x00, 0x11, 0x00, 0x00];
    assert_eq!(
        decode(&[frame(0xc1, MASK, &hello), frame(0xc1, MASK, &referring)], true),
        (vec![text("Hello")], Some(1007))
    );
}

#[test]
fn control_frames_stand_between_the_fragments_of_a_message() {
    let frames =
        [frame(0x01, MASK, b"a"), frame(0x89, MASK, b"1"), frame(0x00, MASK, b"b"), frame(0x8a, MASK, b"")];
    let frames = [&frames[..], &[frame(0x80, MASK, b"c"), frame(0x88, MASK, &[3, 0xe8, b'x'])]].concat();
    let close = CloseFrame { code: 1000, reason: "x".to_owned() };
    let expected =
        vec![Event::Ping(b"1".to_vec()), Event::Pong(vec![]), text("abc"), Event::Close(Some(close))];
    assert_eq!(decode(&frames, false), (expected, None));
}

#[test]
fn broken_rules() {
    let start = || frame(0x01, MASK, b"a");
    for (why, frames, code) in [
        ("no start", vec![frame(0x80, MASK, b"a")], 1002),
        ("no start, not the end", vec![frame(0x00, MASK, b"a")], 1002),
        ("a start within a message", vec![start(), frame(0x81, MASK, b"a")], 1002),
        ("another start", vec![start(), frame(0x02, MASK, b"a")], 1002),
        ("compressed", vec![frame(0xc1, MASK, b"a")], 1002),
        ("a reserved opcode", vec![start(), frame(0x83, MASK, b"a")], 1002),
        ("a mask is missing", vec![start(), vec![0x80, 0x01, b'a']], 1002),
        ("a fragmented ping", vec![frame(0x09, MASK, b"a")], 1002),
        ("a long ping", vec![frame(0x89, MASK, &[0; 126])], 1002),
        ("half a close code", vec![frame(0x88, MASK, &[3])], 1002),
        ("a reserved close code", vec![frame(0x88, MASK, &[3, 0xed])], 1002),
        ("a close code of nobody", vec![frame(0x88, MASK, &[0xff, 0xff])], 1002),
        ("a reason that is not text", vec![frame(0x88, MASK, &[3, 0xe8, 0xff])], 1007),
        ("text that is not text", vec![frame(0x81, MASK, &[0xff])], 1007),
        ("a character that does not end", vec![frame(0x81, MASK, &[b'a', 0xc3])], 1007),
        ("nor in the last frame", vec![frame(0x01, MASK, &[0xc3]), frame(0x80, MASK, &[])], 1007),
        ("a surrogate", vec![frame(0x81, MASK, &[0xed, 0xa0, 0x80])], 1007),
        ("too long", vec![frame(0x82, MASK, &vec![0; MOST + 1])], 1009),
        ("too long in parts", vec![frame(0x02, MASK, &vec![0; MOST]), frame(0x80, MASK, b"a")], 1009),
    ] {
        assert_eq!(decode(&frames, false), (vec![], Some(code)), "{why}");
    }
}

#[test]
fn text_is_refused_before_the_message_has_ended() {
    let announced = |payload: &[u8]| frame(0x81, MASK, payload)[..6 + payload.len() - 1].to_vec();
    for (frames, is_refused) in [
        // One more byte is to come.
        (vec![announced(b"a\xff-")], true),
        (vec![announced("aä".as_bytes())], false),
        (vec![announced(b"a\xf4\x90-")], true),
        (vec![frame(0x01, MASK, b"a\xf4\x90")], true),
        (
            vec![frame(0x01, MASK, b"\xce"), frame(0x00, MASK, b"\xba\xe1\xbd"), frame(0x00, MASK, b"\xb9")],
            false,
        ),
        (vec![frame(0x01, MASK, b"\xce"), frame(0x00, MASK, b"a")], true),
        // Bytes need not be text.
        (vec![frame(0x02, MASK, b"\xff")], false),
    ] {
        assert_eq!(decode(&frames, false), (vec![], is_refused.then_some(1007)), "{frames:x?}");
    }
}

#[test]
fn one_event_at_a_time_and_the_rest_stays() {
    let bytes = [frame(0x81, MASK, b"a"), frame(0x89, MASK, b""), frame(0x81, MASK, b"bc")].concat();
    let (mut decoder, mut input) = (Decoder::new(MOST, false), &bytes[..bytes.len() - 1]);
    assert_eq!(decoder.next(&mut input), Ok(Some(text("a"))));
    assert_eq!(input.len(), bytes.len() - 8);
    assert_eq!(decoder.next(&mut input), Ok(Some(Event::Ping(vec![]))));
    assert_eq!(input.len(), 7);
    assert_eq!((decoder.next(&mut input), input.len()), (Ok(None), 0));
    assert_eq!(decoder.next(&mut &bytes[bytes.len() - 1..]), Ok(Some(text("bc"))));
}

#[test]
fn masks_of_any_alignment() {
    let content: Vec<u8> = (0..=99).collect();
    let bytes = frame(0x82, MASK, &content);
    for size in 1..40 {
        let (received, violation) = events(&mut Decoder::new(MOST, false), &bytes, &[size]);
        assert_eq!((received, violation), (vec![Event::Message(Message::Binary(content.clone()))], None));
    }
}

#[test]
fn an_idle_decoder_is_small_and_holds_no_buffers() {
    assert!(size_of::<Decoder>() <= 128, "{}", size_of::<Decoder>());
    let mut decoder = Decoder::new(MOST, true);
    let frames = [frame(0x82, MASK, &[1; 1000]), frame(0x89, MASK, b"abc"), frame(0xc2, MASK, &[0])].concat();
    assert_eq!(events(&mut decoder, &frames, &[7]).0.len(), 3);
    assert_eq!(decoder.held(), 0);
}

#[test]
fn what_is_announced_is_not_reserved() {
    let mut decoder = Decoder::new(usize::MAX, true);
    let head = [0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5];
    assert_eq!(decoder.next(&mut &head[..]), Ok(None));
    assert!(decoder.held() < 100, "{}", decoder.held());
}

#[test]
fn a_buffer_is_not_larger_than_its_message() {
    let mut decoder = Decoder::new(MOST, false);
    let bytes = frame(0x82, MASK, &vec![1; 150_000]);
    let mut most = 0;
    for mut part in bytes.chunks(1000) {
        assert!(decoder.next(&mut part).is_ok());
        most = most.max(decoder.held());
    }
    assert!((100_000..=150_000).contains(&most), "{most}");
}

#[test]
fn fragments_cost_no_more_than_their_bytes() {
    let mut decoder = Decoder::new(MOST, false);
    assert_eq!(decoder.next(&mut &frame(0x02, MASK, b"")[..]), Ok(None));
    let fragment = frame(0x00, MASK, b"a");
    for _ in 0..MOST {
        assert_eq!(decoder.next(&mut &fragment[..]), Ok(None));
    }
    assert!(decoder.held() <= 2 * MOST);
    assert_eq!(decoder.next(&mut &fragment[..]), Err(Violation::TOO_LARGE));
}

#[test]
fn a_message_of_empty_frames_ends() {
    let mut decoder = Decoder::new(MOST, false);
    let empty = frame(0x00, MASK, b"");
    assert_eq!(decoder.next(&mut &frame(0x01, MASK, b"")[..]), Ok(None));
    let refused = (0..100_000).find_map(|_| decoder.next(&mut &empty[..]).err());
    assert_eq!(refused.map(|violation| violation.code), Some(1008));
}
