//! The heads of a client's frames: RFC 6455, 5.2.

use crate::websocket::message::Violation;

/// Longest head: two bytes, a length of 64 bits, and the mask.
const LONGEST: usize = 14;
/// Largest payload of a control frame, in bytes.
pub const MOST_CONTROL: usize = 125;

/// What a frame is. Control frames have the opcodes from 8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn of(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// A frame whose payload follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHead {
    pub opcode: Opcode,
    pub is_final: bool,
    /// The first reserved bit: the message is compressed.
    pub is_packed: bool,
    pub length: u64,
    pub mask: [u8; 4],
}

/// The head that is being read.
#[derive(Debug, Default)]
pub struct HeadReader {
    bytes: [u8; LONGEST],
    count: u8,
}

impl HeadReader {
    /// Take a head off `input`; `None` when it is not complete yet.
    pub fn read(&mut self, input: &mut &[u8]) -> Result<Option<FrameHead>, Violation> {
        loop {
            // A frame that is refused for its first two bytes may have no more.
            if self.count == 2 {
                check(self.bytes[0], self.bytes[1])?;
            }
            if usize::from(self.count) == self.expected() {
                self.count = 0;
                return self.parse().map(Some);
            }
            let Some((first, rest)) = input.split_first() else { return Ok(None) };
            self.bytes[usize::from(self.count)] = *first;
            self.count += 1;
            *input = rest;
        }
    }

    /// Where the mask begins.
    fn mask_at(&self) -> usize {
        match self.bytes[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }

    fn expected(&self) -> usize {
        if self.count < 2 { 2 } else { self.mask_at() + 4 }
    }

    fn parse(&self) -> Result<FrameHead, Violation> {
        let [first, second, long @ .., _, _, _, _] = self.bytes;
        let length = match second & 0x7f {
            126 => u64::from(u16::from_be_bytes([long[0], long[1]])),
            127 => u64::from_be_bytes(long),
            short => u64::from(short),
        };
        if length >> 63 != 0 {
            return Err(Violation::of_protocol("the length of a frame is negative"));
        }
        let mask = self.mask_at();
        let mask = [self.bytes[mask], self.bytes[mask + 1], self.bytes[mask + 2], self.bytes[mask + 3]];
        let opcode = Opcode::of(first & 0x0f).ok_or(UNKNOWN)?;
        Ok(FrameHead { opcode, is_final: first & 0x80 != 0, is_packed: first & 0x40 != 0, length, mask })
    }
}

const UNKNOWN: Violation = Violation::of_protocol("the opcode of a frame is reserved");

/// The rules that need nothing but the first two bytes.
fn check(first: u8, second: u8) -> Result<(), Violation> {
    let opcode = Opcode::of(first & 0x0f).ok_or(UNKNOWN)?;
    let (is_final, reserved) = (first & 0x80 != 0, first & 0x70);
    let broken = if reserved & 0x30 != 0 {
        "a reserved bit of a frame is set"
    } else if second & 0x80 == 0 {
        "a frame of the client is not masked"
    } else if opcode.is_control() && !is_final {
        "a control frame is fragmented"
    } else if opcode.is_control() && usize::from(second & 0x7f) > MOST_CONTROL {
        "a control frame is too long"
    } else if reserved != 0 && !matches!(opcode, Opcode::Text | Opcode::Binary) {
        "a frame that does not begin a message is marked as compressed"
    } else {
        return Ok(());
    };
    Err(Violation::of_protocol(broken))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 4];

    fn read(bytes: &[u8]) -> Result<Option<FrameHead>, Violation> {
        HeadReader::default().read(&mut &bytes[..])
    }

    #[test]
    fn lengths_have_three_forms() {
        let head = |length| FrameHead {
            opcode: Opcode::Binary,
            is_final: true,
            is_packed: false,
            length,
            mask: MASK,
        };
        for (bytes, length) in [
            (&[0x82, 0x80][..], 0),
            (&[0x82, 0xfd], 125),
            (&[0x82, 0xfe, 1, 0], 256),
            (&[0x82, 0xfe, 0xff, 0xff], 65_535),
            (&[0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0], 65_536),
            (&[0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], i64::MAX as u64),
            // Longer than it has to be.
            (&[0x82, 0xfe, 0, 1], 1),
        ] {
            let bytes = [bytes, &MASK].concat();
            assert_eq!(read(&bytes), Ok(Some(head(length))), "{bytes:?}");
            for cut in 0..bytes.len() {
                let mut reader = HeadReader::default();
                assert_eq!(reader.read(&mut &bytes[..cut]), Ok(None));
                let mut rest = &[&bytes[cut..], b"x"].concat()[..];
                assert_eq!(reader.read(&mut rest), Ok(Some(head(length))));
                assert_eq!(rest, b"x");
            }
        }
        assert!(read(&[0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4]).is_err());
    }

    #[test]
    fn what_the_first_two_bytes_tell_is_refused_at_once() {
        for (first, second, why) in [
            (0x83, 0x80, "opcode"),
            (0x87, 0x80, "opcode"),
            (0x8b, 0x80, "opcode"),
            (0x8f, 0x80, "opcode"),
            (0x92, 0x80, "reserved bit"),
            (0xa2, 0x80, "reserved bit"),
            (0x82, 0x00, "masked"),
            (0x82, 0x7f, "masked"),
            (0x08, 0x80, "fragmented"),
            (0x09, 0x80, "fragmented"),
            (0x0a, 0x80, "fragmented"),
            (0x88, 0xfe, "too long"),
            (0x89, 0xff, "too long"),
            (0xc9, 0x80, "compressed"),
            (0xc0, 0x80, "compressed"),
        ] {
            let violation = read(&[first, second]).unwrap_err();
            assert_eq!(violation.code, 1002);
            assert!(violation.reason.contains(why), "{first:x} {second:x}: {violation}");
        }
    }
}
