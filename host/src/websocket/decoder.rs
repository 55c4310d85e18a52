//! A client's bytes become messages, pings, pongs and a close: RFC 6455, 5 to 8.
//!
//! A client may cut its bytes and its messages as it likes, so what is kept must not depend on that. A message is one buffer
//! however many frames it has, and the buffer grows with the bytes that have arrived, not with those that were announced.

use crate::websocket::deflate;
use crate::websocket::frame_head::{FrameHead, HeadReader, Opcode};
use crate::websocket::message::{CloseFrame, Event, Message, Violation, close_code};

/// Most frames without content in a message. Those with content are bounded by the message's size.
const MOST_EMPTY_FRAMES: u32 = 65_536;

/// The state between a client's bytes. It has no buffers between messages.
#[derive(Debug)]
pub struct Decoder {
    most_message: usize,
    can_inflate: bool,
    /// Messages are of no interest any more, only the close.
    discards: bool,
    head: HeadReader,
    /// The frame whose payload is being read.
    frame: Option<Frame>,
    message: Partial,
    /// The payload of a control frame. It may arrive in the middle of a message.
    control: Vec<u8>,
}

/// A frame's payload that is still to come.
#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: Opcode,
    is_final: bool,
    left: usize,
    /// It begins with the byte for the next byte of the payload.
    mask: [u8; 4],
}

/// A message of which some has arrived.
#[derive(Debug, Default)]
struct Partial {
    kind: Option<Kind>,
    bytes: Vec<u8>,
    /// So many of the bytes are known to be UTF-8.
    checked: usize,
    empty_frames: u32,
}

#[derive(Debug, Clone, Copy)]
struct Kind {
    is_text: bool,
    is_packed: bool,
}

impl Decoder {
    /// `most_message`: of a message's content, in bytes. `can_inflate`: the handshake agreed on compression.
    pub fn new(most_message: usize, can_inflate: bool) -> Self {
        let (head, message, control) = Default::default();
        Self { most_message, can_inflate, discards: false, head, frame: None, message, control }
    }

    /// Messages are empty from here on: nothing of them is inflated or checked.
    pub fn discard(&mut self) {
        self.discards = true;
    }

    /// Take bytes off the front of `input` until an event is complete. `None`: all were taken and none is.
    ///
    /// After an error or a close, the rest of the client's bytes has no meaning.
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Violation> {
        loop {
            let mut frame = match self.frame.take() {
                Some(frame) => frame,
                None => match self.head.read(input)? {
                    Some(head) => self.begin(&head)?,
                    None => return Ok(None),
                },
            };
            let (part, rest) = input.split_at(frame.left.min(input.len()));
            *input = rest;
            frame.left -= part.len();
            if frame.opcode.is_control() {
                append(&mut self.control, part, &mut frame);
            } else {
                append(&mut self.message.bytes, part, &mut frame);
                self.message.check_text(&frame)?;
            }
            if frame.left > 0 {
                self.frame = Some(frame);
                return Ok(None);
            }
            if frame.opcode.is_control() {
                return control_event(frame.opcode, std::mem::take(&mut self.control)).map(Some);
            }
            if frame.is_final {
                return self.message_event().map(Some);
            }
        }
    }

    /// How many bytes it has for messages and control frames that are not complete.
    pub fn held(&self) -> usize {
        self.message.bytes.capacity() + self.control.capacity()
    }

    /// The rules that need to know the frames before it.
    fn begin(&mut self, head: &FrameHead) -> Result<Frame, Violation> {
        let FrameHead { opcode, is_final, is_packed, length, mask } = *head;
        if is_packed && !self.can_inflate {
            return Err(Violation::of_protocol("a reserved bit of a frame is set"));
        }
        let left = usize::try_from(length).map_err(|_| Violation::TOO_LARGE)?;
        if !opcode.is_control() {
            self.message.begin_frame(opcode, is_packed)?;
            // At most so many bytes can be the compressed form of a message that is not too large.
            let is_packed = self.message.kind.is_some_and(|kind| kind.is_packed);
            let most = if is_packed { deflate::most_packed(self.most_message) } else { self.most_message };
            if left > most.saturating_sub(self.message.bytes.len()) {
                return Err(Violation::TOO_LARGE);
            }
            if left == 0 {
                self.message.count_empty_frame()?;
            }
        }
        Ok(Frame { opcode, is_final, left, mask })
    }

    fn message_event(&mut self) -> Result<Event, Violation> {
        let Partial { kind, bytes, .. } = std::mem::take(&mut self.message);
        let Some(Kind { is_text, is_packed }) = kind else { return Err(NOT_BEGUN) };
        if self.discards {
            return Ok(Event::Message(Message::Binary(Vec::new())));
        }
        let bytes = if is_packed { deflate::inflate(&bytes, self.most_message)? } else { bytes };
        if !is_text {
            return Ok(Event::Message(Message::Binary(bytes)));
        }
        let text = String::from_utf8(bytes).map_err(|_| Violation::NOT_UTF8)?;
        Ok(Event::Message(Message::Text(text)))
    }
}

const NOT_BEGUN: Violation = Violation::of_protocol("a frame continues no message");

impl Partial {
    fn begin_frame(&mut self, opcode: Opcode, is_packed: bool) -> Result<(), Violation> {
        match (opcode, self.kind) {
            (Opcode::Continuation, None) => Err(NOT_BEGUN),
            (Opcode::Continuation, Some(_)) => Ok(()),
            (_, Some(_)) => Err(Violation::of_protocol("a message begins within another")),
            (_, None) => {
                self.kind = Some(Kind { is_text: opcode == Opcode::Text, is_packed });
                Ok(())
            }
        }
    }

    fn count_empty_frame(&mut self) -> Result<(), Violation> {
        self.empty_frames += 1;
        if self.empty_frames <= MOST_EMPTY_FRAMES {
            return Ok(());
        }
        let reason = "a message has too many empty frames";
        Err(Violation { code: close_code::POLICY_VIOLATION, reason })
    }

    /// Refuse what is not UTF-8 as soon as it has arrived. The end of a message is not checked here but with the whole of it.
    fn check_text(&mut self, frame: &Frame) -> Result<(), Violation> {
        let is_plain_text = self.kind.is_some_and(|kind| kind.is_text && !kind.is_packed);
        if !is_plain_text || frame.is_final && frame.left == 0 {
            return Ok(());
        }
        match std::str::from_utf8(&self.bytes[self.checked..]) {
            Ok(text) => self.checked += text.len(),
            Err(wrong) if wrong.error_len().is_some() => return Err(Violation::NOT_UTF8),
            // It ends within a character.
            Err(wrong) => self.checked += wrong.valid_up_to(),
        }
        Ok(())
    }
}

/// Append a part of the frame's payload without its mask.
fn append(bytes: &mut Vec<u8>, part: &[u8], frame: &mut Frame) {
    let begin = bytes.len();
    // A buffer of a message's last frame grows as all do, but not beyond what it can become.
    if frame.is_final && bytes.capacity() - begin < part.len() {
        bytes.reserve_exact(part.len() + frame.left.min(begin));
    }
    bytes.extend_from_slice(part);
    unmask(&mut bytes[begin..], frame.mask);
    frame.mask.rotate_left(part.len() % 4);
}

fn unmask(bytes: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (words, rest) = bytes.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.into_iter().cycle()) {
        *byte ^= mask;
    }
}

fn control_event(opcode: Opcode, payload: Vec<u8>) -> Result<Event, Violation> {
    match opcode {
        Opcode::Ping => Ok(Event::Ping(payload)),
        Opcode::Pong => Ok(Event::Pong(payload)),
        _ => close_frame(&payload).map(Event::Close),
    }
}

fn close_frame(payload: &[u8]) -> Result<Option<CloseFrame>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        let is_empty = payload.is_empty();
        return if is_empty { Ok(None) } else { Err(Violation::of_protocol("a close code is cut")) };
    };
    let code = u16::from_be_bytes(*code);
    if !close_code::is_valid(code) {
        return Err(Violation::of_protocol("a close code is reserved"));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| Violation::NOT_UTF8)?;
    Ok(Some(CloseFrame { code, reason: reason.to_owned() }))
}

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;
