//! For tests: what a client does, which the host never does.

/// A frame with a mask. `first`: its first byte.
pub fn frame(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        length @ ..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// The payload of a frame that the host made.
pub fn payload(frame_of_host: &[u8]) -> &[u8] {
    let head = match frame_of_host[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    &frame_of_host[head..]
}

/// A frame that the host made, as a client would send it.
pub fn masked(frame_of_host: &[u8], mask: [u8; 4]) -> Vec<u8> {
    frame(frame_of_host[0], mask, payload(frame_of_host))
}
