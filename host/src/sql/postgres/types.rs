//! The types that a server names for parameters and columns: those of an app become `unknown`.

/// Types from here on are an app's own, or an extension's (`FirstNormalObjectId` of Postgres).
const FIRST_OWN: u32 = 16_384;
/// The type `unknown`.
const UNKNOWN: u32 = 705;
/// Bytes of a column behind its name: table, number, type, size, modifier, format.
const COLUMN: usize = 18;
/// Where the type is among them.
const TYPE_AT: usize = 6;
const OID: usize = 4;

/// Reads messages that name types.
#[derive(Default)]
pub struct Types(Place);

/// Where in a message it is.
#[derive(Debug, Clone, Copy, Default)]
enum Place {
    /// Of another kind, or the rest of one.
    #[default]
    Elsewhere,
    /// The number of items, of which so many bytes have come.
    Count(usize, Kind),
    /// The name of a column.
    Name,
    /// So many bytes behind the name.
    Behind(usize),
    /// The type of a parameter.
    Parameter,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Columns,
    Parameters,
}

impl Types {
    /// A message of a kind begins.
    pub fn begin(&mut self, kind: u8) {
        self.0 = match kind {
            b'T' => Place::Count(0, Kind::Columns),
            b't' => Place::Count(0, Kind::Parameters),
            _ => Place::Elsewhere,
        };
    }

    /// A part of the message. Returns how much of it was read: less if it ends within a number, unless it `is_last`.
    pub fn pass(&mut self, part: &mut [u8], is_last: bool) -> usize {
        let mut at = 0;
        while at < part.len() {
            match self.0 {
                Place::Elsewhere => return part.len(),
                Place::Count(had, kind) => {
                    at += 1;
                    self.0 = match (had, kind) {
                        (0, kind) => Place::Count(1, kind),
                        (_, Kind::Columns) => Place::Name,
                        (_, Kind::Parameters) => Place::Parameter,
                    };
                }
                Place::Name => match memchr::memchr(0, &part[at..]) {
                    None => return part.len(),
                    Some(end) => {
                        at += end + 1;
                        self.0 = Place::Behind(0);
                    }
                },
                Place::Behind(TYPE_AT) => {
                    if !replaced(&mut part[at..]) {
                        return if is_last { part.len() } else { at };
                    }
                    at += OID;
                    self.0 = Place::Behind(TYPE_AT + OID);
                }
                Place::Behind(had) => {
                    let end = if had < TYPE_AT { TYPE_AT } else { COLUMN };
                    let taken = (end - had).min(part.len() - at);
                    at += taken;
                    self.0 = if had + taken == COLUMN { Place::Name } else { Place::Behind(had + taken) };
                }
                Place::Parameter => {
                    if !replaced(&mut part[at..]) {
                        return if is_last { part.len() } else { at };
                    }
                    at += OID;
                }
            }
        }
        at
    }
}

/// Replace the number at the beginning, if it is whole.
fn replaced(bytes: &mut [u8]) -> bool {
    let Some(number) = bytes.first_chunk_mut::<OID>() else { return false };
    if u32::from_be_bytes(*number) >= FIRST_OWN {
        *number = UNKNOWN.to_be_bytes();
    }
    true
}
