//! Compressed messages: permessage-deflate, RFC 7692, always without context takeover.
//!
//! So a connection has no state of its own, which would be 300 KB: each thread has one compressor and one decompressor.

use crate::websocket::message::{Violation, close_code};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use std::cell::RefCell;

/// Compression as a handshake agreed on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deflate {
    /// The base-2 logarithm of our window.
    window_bits: u8,
}

/// The windows that zlib has. RFC 7692 also knows 8.
const WINDOW_BITS: std::ops::RangeInclusive<u8> = 9..=15;
/// Messages below this size are not compressed, in bytes: most would gain nothing.
const LEAST: usize = 256;
/// How much is inflated at a time, in bytes.
const CHUNK: usize = 16 * 1024;
/// Most streams in a message. A client may end its stream at each flush; each costs a reset.
const MOST_STREAMS: usize = 4096;

/// The end of each message, which is not sent.
const FLUSHED: [u8; 4] = [0, 0, 0xff, 0xff];
/// An empty block that ends a stream.
const LAST_BLOCK: [u8; 2] = [3, 0];

const CORRUPT: Violation =
    Violation { code: close_code::INVALID_PAYLOAD, reason: "a compressed message is corrupt" };

thread_local! {
    static COMPRESS: RefCell<Option<(Deflate, Compress)>> = const { RefCell::new(None) };
    static DECOMPRESS: RefCell<Option<Decompress>> = const { RefCell::new(None) };
}

impl Deflate {
    /// `None`: there is no such window.
    pub fn new(window_bits: u8) -> Option<Self> {
        WINDOW_BITS.contains(&window_bits).then_some(Self { window_bits })
    }

    /// With the largest window.
    pub const LARGEST: Self = Self { window_bits: *WINDOW_BITS.end() };

    #[cfg(test)]
    pub fn window_bits(self) -> u8 {
        self.window_bits
    }

    /// A message's content, compressed; `None` if that would save nothing.
    pub fn pack(self, content: &[u8]) -> Option<Vec<u8>> {
        if content.len() < LEAST {
            return None;
        }
        COMPRESS.with_borrow_mut(|slot| {
            // A handshake with another window is rare: its compressor takes the place of the last one.
            drop(slot.take_if(|(known, _)| *known != self));
            let (_, compress) = slot.get_or_insert_with(|| (self, self.compressor()));
            compress.reset();
            let mut packed = Vec::with_capacity(most_packed(content.len()));
            let result = compress.compress_vec(content, &mut packed, FlushCompress::Sync);
            let is_all = compress.total_in() == content.len() as u64 && packed.len() < packed.capacity();
            if result.is_err() || !is_all {
                // It has output left, which a reset does not remove: zlib-rs 0.6.8 would panic in a later message.
                *slot = None;
                return None;
            }
            packed.truncate(packed.strip_suffix(&FLUSHED)?.len());
            (packed.len() < content.len()).then_some(packed)
        })
    }

    fn compressor(self) -> Compress {
        Compress::new_with_window_bits(Compression::fast(), false, self.window_bits)
    }
}

/// How long the compressed form of so many bytes may be. What cannot be compressed becomes longer: fast compressors have codes
/// of 9 bits for half of all bytes.
pub fn most_packed(content: usize) -> usize {
    content.saturating_add(content / 8).saturating_add(64)
}

/// The content of a compressed message, of at most `most` bytes.
pub fn inflate(packed: &[u8], most: usize) -> Result<Vec<u8>, Violation> {
    DECOMPRESS.with_borrow_mut(|slot| {
        let decompress = slot.get_or_insert_with(|| Decompress::new(false));
        decompress.reset(false);
        let content = Vec::new();
        let mut inflation =
            Inflation { decompress, content, most, chunk: [0; CHUNK], streams: 0, is_at_end: true };
        inflation.feed(packed)?;
        // A stream that has ended with the message needs no end. Any other must be between two blocks: with a block that
        // ends it, it ends. Some clients do not leave out what is not sent.
        if !inflation.is_at_end {
            if !packed.ends_with(&FLUSHED) {
                inflation.feed(&FLUSHED)?;
            }
            inflation.feed(&LAST_BLOCK)?;
        }
        if inflation.is_at_end { Ok(inflation.content) } else { Err(CORRUPT) }
    })
}

/// A message that is being inflated.
struct Inflation<'a> {
    decompress: &'a mut Decompress,
    content: Vec<u8>,
    most: usize,
    chunk: [u8; CHUNK],
    /// So many streams have ended.
    streams: usize,
    /// The last one has, and no other has begun.
    is_at_end: bool,
}

impl Inflation<'_> {
    fn feed(&mut self, mut input: &[u8]) -> Result<(), Violation> {
        let mut is_full = false;
        while !input.is_empty() || is_full {
            let (taken, made) = (self.decompress.total_in(), self.decompress.total_out());
            let status = self.decompress.decompress(input, &mut self.chunk, FlushDecompress::Sync);
            let status = status.map_err(|_| CORRUPT)?;
            let taken = (self.decompress.total_in() - taken) as usize;
            let made = (self.decompress.total_out() - made) as usize;
            input = &input[taken..];
            is_full = made == CHUNK;
            self.append(made)?;
            self.is_at_end = status == Status::StreamEnd;
            if self.is_at_end {
                // What follows is a stream of its own.
                self.streams += 1;
                if self.streams > MOST_STREAMS {
                    return Err(CORRUPT);
                }
                self.decompress.reset(false);
                is_full = false;
            } else if taken == 0 && made == 0 && !input.is_empty() {
                return Err(CORRUPT);
            }
        }
        Ok(())
    }

    /// Append so many bytes of the chunk.
    fn append(&mut self, made: usize) -> Result<(), Violation> {
        let part = &self.chunk[..made];
        let length = self.content.len();
        if part.len() > self.most - length {
            return Err(Violation::TOO_LARGE);
        }
        if self.content.capacity() - length < part.len() {
            self.content.reserve_exact(length.max(part.len()).min(self.most - length));
        }
        self.content.extend_from_slice(part);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that cannot be compressed.
    fn noise(length: usize) -> Vec<u8> {
        let mut state = 1u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    fn text(length: usize) -> Vec<u8> {
        let lines = (0..).flat_map(|line| format!("{line}: the quick brown fox; ").into_bytes());
        lines.take(length).collect()
    }

    #[test]
    fn messages_come_back_at_any_window() {
        for bits in WINDOW_BITS {
            let deflate = Deflate::new(bits).unwrap();
            for length in [256, 257, 5000, 100_000, 1_000_000] {
                let content = text(length);
                let packed = deflate.pack(&content).unwrap();
                assert!(packed.len() < length * 3 / 4);
                assert_eq!(inflate(&packed, length).unwrap(), content);
            }
        }
        assert_eq!((Deflate::new(8), Deflate::new(16)), (None, None));
    }

    #[test]
    fn no_window_is_left() {
        for bits in WINDOW_BITS {
            // It becomes smaller only by a reference from its second half to its first.
            let far = noise(1 << bits).repeat(2);
            let larger = Deflate::new(bits + 1).and_then(|deflate| deflate.pack(&far));
            assert_eq!(Deflate::new(bits).unwrap().pack(&far), None, "{bits}");
            assert_eq!(larger.is_some(), bits < 15, "{bits}");
        }
    }

    #[test]
    fn what_would_not_become_smaller_is_not_compressed() {
        for content in [vec![], vec![b'a'; LEAST - 1], noise(LEAST), noise(100_000)] {
            assert_eq!(Deflate::LARGEST.pack(&content), None);
        }
        assert!(Deflate::LARGEST.pack(&[b'a'; LEAST]).is_some());
    }

    #[test]
    fn noise_leaves_nothing_behind() {
        // All codes of 9 bits: the longest form.
        let longest: Vec<u8> = noise(1_000_000).iter().map(|byte| byte | 0x90).collect();
        for bits in WINDOW_BITS {
            let deflate = Deflate::new(bits).unwrap();
            for length in (LEAST..2000).step_by(7).chain([10_000, 65_535, 65_536, 1_000_000]) {
                deflate.pack(&longest[..length]);
                deflate.pack(&noise(length));
                let kept = COMPRESS.with_borrow(|slot| slot.is_some());
                assert!(kept, "{bits} {length}: the output did not fit");
            }
            assert_eq!(inflate(&deflate.pack(&text(5000)).unwrap(), 5000).unwrap(), text(5000));
        }
    }

    /// A client may compress what does not become smaller, and its content may have the largest size.
    #[test]
    fn noise_of_the_largest_size_is_accepted() {
        for length in [0, 1, 100, 100_000] {
            for level in 0..=9 {
                let content = noise(length);
                let mut packed = Vec::with_capacity(2 * length + 100);
                let mut compress = Compress::new(Compression::new(level), false);
                compress.compress_vec(&content, &mut packed, FlushCompress::Sync).unwrap();
                packed.truncate(packed.len() - FLUSHED.len());
                assert!(packed.len() <= most_packed(length), "{level}: {} of {length}", packed.len());
                assert_eq!(inflate(&packed, length).unwrap(), content);
            }
        }
        assert_eq!(most_packed(usize::MAX), usize::MAX);
    }

    #[test]
    fn a_bomb_stops_at_the_limit() {
        let bomb = Deflate::LARGEST.pack(&vec![0; 64 << 20]).unwrap();
        assert!(bomb.len() < 1 << 20);
        for most in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 100_000] {
            assert_eq!(inflate(&bomb, most), Err(Violation::TOO_LARGE));
        }
    }

    #[test]
    fn content_grows_to_its_limit_and_no_further() {
        for length in [CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 100_000] {
            let packed = Deflate::LARGEST.pack(&text(length)).unwrap();
            let content = inflate(&packed, length).unwrap();
            assert!(content.capacity() == length && content == text(length), "{length}");
            assert_eq!(inflate(&packed, length - 1), Err(Violation::TOO_LARGE));
        }
    }

    /// A stream within a message, which ends.
    fn stream(content: &[u8]) -> Vec<u8> {
        let mut packed = Vec::with_capacity(content.len() + 100);
        let mut compress = Compress::new(Compression::fast(), false);
        compress.compress_vec(content, &mut packed, FlushCompress::Finish).unwrap();
        packed
    }

    #[test]
    fn streams_that_end_within_a_message() {
        let (first, second) = (stream(&text(50_000)), stream(b"Hello"));
        let both = [text(50_000), b"Hello".to_vec()].concat();
        for end in [&[][..], &[0]] {
            let packed = [&first[..], &second, end].concat();
            assert_eq!(inflate(&packed, 60_000).unwrap(), both);
        }
        let many =
            |count: usize| inflate(&stream(b"ab").repeat(count), usize::MAX).map(|content| content.len());
        assert_eq!(many(MOST_STREAMS), Ok(2 * MOST_STREAMS));
        assert_eq!(many(MOST_STREAMS + 1), Err(CORRUPT));
    }

    #[test]
    fn clients_that_leave_nothing_out() {
        let packed = [&Deflate::LARGEST.pack(&text(5000)).unwrap()[..], &FLUSHED].concat();
        assert_eq!(inflate(&packed, 5000).unwrap(), text(5000));
    }

    #[test]
    fn corrupt_messages() {
        let whole = Deflate::LARGEST.pack(&text(5000)).unwrap();
        for packed in [
            &[0xff][..],
            b"plain text",
            // A block of 5 bytes of which two are there: what ends the message is not its content.
            &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65],
            &whole[..whole.len() / 2],
            // It refers to what was before the message.
            &[0xf2, 0x00, 0x11, 0x00, 0x00],
            // After a stream that ended.
            &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0xff],
        ] {
            assert_eq!(inflate(packed, 10_000), Err(CORRUPT), "{packed:x?}");
            // The thread's decompressor still works.
            assert_eq!(inflate(&whole, 10_000).unwrap(), text(5000));
        }
        for empty in [&[][..], &[0], &[0, 0, 0, 0xff, 0xff], &[2, 0], &[3, 0]] {
            assert_eq!(inflate(empty, 0).unwrap(), b"", "{empty:x?}");
        }
    }
}
