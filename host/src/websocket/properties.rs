//! The codec against random bytes, and against itself.

use crate::websocket::decoder::Decoder;
use crate::websocket::deflate::Deflate;
use crate::websocket::message::{CloseFrame, Event, Message, Violation, close_code};
use crate::websocket::replay::{events, replay};
use crate::websocket::test_client::{frame, masked};
use crate::websocket::{encoder, handshake, negotiation, origin};
use proptest::collection::vec;
use proptest::prelude::*;

const MOST: usize = 100_000;

/// Content that is sometimes worth to compress.
fn any_message() -> impl Strategy<Value = Message> {
    let repeated = (vec(any::<u8>(), 0..50), 0..200usize).prop_map(|(bytes, times)| bytes.repeat(times));
    prop_oneof![
        any::<String>().prop_map(Message::Text),
        (any::<String>(), 0..100usize).prop_map(|(text, times)| Message::Text(text.repeat(times))),
        vec(any::<u8>(), 0..2000).prop_map(Message::Binary),
        repeated.prop_map(Message::Binary),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => any_message().prop_map(Event::Message),
        1 => vec(any::<u8>(), 0..126).prop_map(Event::Ping),
        1 => vec(any::<u8>(), 0..126).prop_map(Event::Pong),
        1 => (prop_oneof![1000..1004u16, 1007..1015u16, 3000..5000u16], ".{0,30}")
            .prop_map(|(code, reason)| Event::Close(Some(CloseFrame { code, reason }))),
        1 => Just(Event::Close(None)),
    ]
}

fn encoded(event: &Event, deflate: Option<Deflate>) -> Vec<u8> {
    match event {
        Event::Message(message) => encoder::message(message.is_text(), message.as_bytes(), deflate),
        Event::Ping(payload) => encoder::ping(payload),
        Event::Pong(payload) => encoder::pong(payload),
        Event::Close(Some(frame)) => encoder::close(frame.code, &frame.reason),
        Event::Close(None) => encoder::close_without_code(),
    }
}

/// A frame that is nearly right: random bytes alone would be refused at once.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop::sample::select(vec![
        0x00, 0x80, 0x01, 0x81, 0x02, 0x82, 0x41, 0xc1, 0x42, 0xc2, 0x88, 0x89, 0x8a, 0x80, 0x00, 0x93,
    ]);
    let payload = prop_oneof![
        vec(any::<u8>(), 0..20),
        any::<String>().prop_map(String::into_bytes),
        vec(0..4u8, 0..300),
        Just(vec![0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00]),
    ];
    (first, any::<[u8; 4]>(), payload).prop_map(|(first, mask, payload)| frame(first, mask, &payload))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_is_encoded_is_decoded_however_it_is_cut(
        sent in vec(any_event(), 0..8),
        bits in prop::option::of(9..=15u8),
        mask in any::<[u8; 4]>(),
        sizes in vec(1..5000usize, 1..5),
    ) {
        let deflate = bits.and_then(Deflate::new);
        let wire: Vec<u8> = sent.iter().flat_map(|event| masked(&encoded(event, deflate), mask)).collect();
        let mut decoder = Decoder::new(MOST * 100, bits.is_some());
        let (received, violation) = events(&mut decoder, &wire, &sizes);
        prop_assert_eq!(violation, None);
        prop_assert_eq!(received, sent);
        prop_assert_eq!(decoder.held(), 0);
    }

    #[test]
    fn a_message_is_the_same_in_any_fragments(
        text in any::<String>(),
        cuts in vec(any::<prop::sample::Index>(), 0..6),
        ping in any::<[u8; 4]>(),
        sizes in vec(1..40usize, 1..5),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        cuts.sort_unstable();
        let (mut wire, mut begin) = (Vec::new(), 0);
        for cut in cuts {
            wire.extend(frame(u8::from(begin == 0 && wire.is_empty()), ping, &text.as_bytes()[begin..cut]));
            wire.extend(frame(0x89, [0; 4], &ping));
            begin = cut;
        }
        wire.extend(frame(0x80 | u8::from(wire.is_empty()), ping, &text.as_bytes()[begin..]));
        let (mut received, violation) = events(&mut Decoder::new(MOST, false), &wire, &sizes);
        prop_assert_eq!(violation, None);
        prop_assert_eq!(received.pop(), Some(Event::Message(Message::Text(text))));
        prop_assert!(received.iter().all(|event| *event == Event::Ping(ping.to_vec())));
    }

    #[test]
    fn random_bytes_give_the_same_however_they_are_cut(data in vec(any::<u8>(), 0..300)) {
        replay(&data);
    }

    #[test]
    fn frames_that_are_nearly_right_do_too(settings in any::<[u8; 4]>(), frames in vec(any_frame(), 0..12)) {
        replay(&[&settings[..], &frames.concat()].concat());
    }

    #[test]
    fn damaged_frames_do_too(
        event in any_event(), settings in any::<[u8; 4]>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
    ) {
        let mut wire = masked(&encoded(&event, Some(Deflate::LARGEST)), [1, 2, 3, 4]);
        let index = at.index(wire.len());
        wire[index] = byte;
        replay(&[&[settings[0] | 1], &settings[1..], &wire].concat());
    }

    #[test]
    fn no_content_is_larger_than_allowed(content in vec(0..2u8, 1..40_000), less in 1..400usize) {
        let most = content.len().saturating_sub(less);
        for deflate in [None, Some(Deflate::LARGEST)] {
            let wire = masked(&encoder::message(false, &content, deflate), [7; 4]);
            let (received, violation) = events(&mut Decoder::new(most, deflate.is_some()), &wire, &[wire.len()]);
            prop_assert_eq!((received.len(), violation), (0, Some(Violation::TOO_LARGE)));
        }
    }

    /// Close frames of the host are ones that it would accept itself.
    #[test]
    fn any_reason_is_cut_to_fit(reason in any::<String>(), times in 0..20usize) {
        let reason = reason.repeat(times);
        let wire = masked(&encoder::close(close_code::NORMAL, &reason), [9; 4]);
        let (received, violation) = events(&mut Decoder::new(0, false), &wire, &[wire.len()]);
        prop_assert_eq!(violation, None);
        let [Event::Close(Some(frame))] = &received[..] else { panic!("{received:?}") };
        prop_assert!(reason.starts_with(&frame.reason) && frame.reason.len() >= reason.len().min(120));
    }

    #[test]
    fn no_header_panics(lines in vec(vec(any::<u8>(), 0..40), 0..4), origin in ".{0,40}", host in ".{0,20}") {
        let values = |_: &'static str| lines.iter().map(Vec::as_slice);
        let _ = handshake::is_wanted(values);
        let _ = handshake::check_http1("GET", values);
        let _ = handshake::check_http2(values);
        let _ = origin::is_allowed(Some(&origin), &host, false, None);
        let _ = origin::is_allowed(Some(&origin), &host, false, Some(std::slice::from_ref(&host)));
    }

    #[test]
    fn no_offer_panics(parameters in "(permessage-deflate|server_max_window_bits|client_max_window_bits|[;,= \"]|1[0-9]|8|9|é){0,12}") {
        let offer = format!("permessage-deflate;{parameters}");
        if let Some(agreement) = negotiation::agree([offer.as_bytes()]) {
            prop_assert!((9..=15).contains(&agreement.deflate.window_bits()));
        }
    }

    #[test]
    fn pages_of_a_host_may_always_connect_to_it(host in "[a-z0-9.-]{1,20}", port in prop::option::of(any::<u16>())) {
        let host = port.map_or(host.clone(), |port| format!("{host}:{port}"));
        for (scheme, is_secure) in [("http", false), ("https", true)] {
            let origin = format!("{scheme}://{host}");
            prop_assert!(origin::is_allowed(Some(&origin), &host, is_secure, None));
        }
    }
}
