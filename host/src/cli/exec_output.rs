//! What a command writes, as its interpreter sends it: frames of its standard output and error, and its exit code at the end. The guest
//! makes them, so each is checked, and no more than one is held.

use crate::util::printable;
use bytes::{Buf, Bytes, BytesMut};
use std::io::{self, IsTerminal, Write};

/// A frame begins with its kind and the number of its bytes.
const HEAD: usize = 5;
/// Most bytes of a frame.
const MOST: usize = 64 * 1024;

const EXIT_CODE: u8 = 0;
const STDOUT: u8 = 1;
const STDERR: u8 = 2;

/// A frame, whole.
#[derive(Debug, PartialEq, Eq)]
enum Frame {
    Stdout(Bytes),
    Stderr(Bytes),
    ExitCode(u8),
}

/// Passes on what has come. Errors are sentences.
#[derive(Debug, Default)]
pub struct Output {
    frames: Frames,
    code: Option<u8>,
}

impl Output {
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.frames.pending.extend_from_slice(bytes);
        while let Some(frame) = self.frames.whole()? {
            let written = match frame {
                Frame::Stdout(text) => write(io::stdout().lock(), io::stdout().is_terminal(), &text),
                Frame::Stderr(text) => write(io::stderr().lock(), io::stderr().is_terminal(), &text),
                Frame::ExitCode(code) => {
                    self.code = Some(code);
                    Ok(())
                }
            };
            // As other programs: whoever reads the output may stop.
            written.map_err(|e| format!("the output cannot be written: {e}"))?;
        }
        Ok(())
    }

    /// Of a command that has ended.
    pub fn code(&self) -> Option<u8> {
        self.code
    }
}

/// A terminal obeys what it is sent, so there it is only shown.
fn write(mut out: impl Write, is_terminal: bool, text: &[u8]) -> io::Result<()> {
    if is_terminal {
        let text = String::from_utf8_lossy(text);
        let (shown, _) = printable::text(&text, usize::MAX);
        out.write_all(shown.as_bytes())?;
    } else {
        out.write_all(text)?;
    }
    out.flush()
}

#[derive(Debug, Default)]
struct Frames {
    pending: BytesMut,
}

impl Frames {
    /// The next one that is whole.
    fn whole(&mut self) -> Result<Option<Frame>, String> {
        let Some(mut head) = self.pending.get(..HEAD) else { return Ok(None) };
        let (kind, length) = (head.get_u8(), head.get_u32() as usize);
        if length > MOST || !matches!(kind, EXIT_CODE | STDOUT | STDERR) {
            return Err(strange());
        }
        if self.pending.len() < HEAD + length {
            return Ok(None);
        }
        self.pending.advance(HEAD);
        let content = self.pending.split_to(length).freeze();
        match (kind, &*content) {
            (STDOUT, _) => Ok(Some(Frame::Stdout(content))),
            (STDERR, _) => Ok(Some(Frame::Stderr(content))),
            (_, &[code]) => Ok(Some(Frame::ExitCode(code))),
            _ => Err(strange()),
        }
    }
}

fn strange() -> String {
    "the app has sent something else than the output of a command".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames of bytes that come in parts of this size.
    fn frames(bytes: &[u8], part: usize) -> Result<Vec<Frame>, String> {
        let (mut frames, mut found) = (Frames::default(), Vec::new());
        for part in bytes.chunks(part) {
            frames.pending.extend_from_slice(part);
            while let Some(frame) = frames.whole()? {
                found.push(frame);
            }
        }
        Ok(found)
    }

    #[test]
    fn frames_are_found_wherever_they_are_cut() {
        let sent = b"\x01\0\0\0\x03abc\x02\0\0\0\0\x02\0\0\0\x01!\0\0\0\0\x01\x07";
        let whole = [
            Frame::Stdout("abc".into()),
            Frame::Stderr(Bytes::new()),
            Frame::Stderr("!".into()),
            Frame::ExitCode(7),
        ];
        for part in 1..=sent.len() {
            assert_eq!(frames(sent, part).unwrap(), whole, "{part}");
        }
        assert_eq!(frames(&sent[..sent.len() - 1], 4).unwrap(), whole[..3]);
    }

    #[test]
    fn other_bytes_are_refused_before_they_are_held() {
        for wrong in ["\x03\0\0\0\0", "\x01\x7f\0\0\0", "\0\0\0\0\x02ab", "\0\0\0\0\0", "Traceback"] {
            assert!(frames(wrong.as_bytes(), 3).is_err(), "{wrong:?}");
        }
        let most = [&[STDOUT, 0, 1, 0, 0][..], &[b'x'; MOST]].concat();
        assert_eq!(frames(&most, 1000).unwrap(), [Frame::Stdout(vec![b'x'; MOST].into())]);
    }

    #[test]
    fn a_terminal_is_sent_nothing_that_it_obeys() {
        let written = |is_terminal| {
            let mut out = Vec::new();
            write(&mut out, is_terminal, "a\n\u{1b}[2Jé\n".as_bytes()).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(false), "a\n\u{1b}[2Jé\n");
        assert_eq!(written(true), "a\n\\u{1b}[2Jé\n");
    }
}
