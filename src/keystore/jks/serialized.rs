//! Skips the secret keys of a JCEKS store. They are serialized Java objects without a length, so they are parsed to
//! find their end. Only what the class `SealedObjectForKeyProtector` needs is supported, and no object is created.

use super::Input;

/// From `java.io.ObjectStreamConstants`.
const MAGIC_AND_VERSION: u32 = 0xaced_0005;
const NULL: u8 = 0x70;
const REFERENCE: u8 = 0x71;
const CLASS: u8 = 0x72;
const OBJECT: u8 = 0x73;
const STRING: u8 = 0x74;
const ARRAY: u8 = 0x75;
const END: u8 = 0x78;

/// The first handle (`baseWireHandle`).
const BASE: u32 = 0x7e_0000;
/// The maximum number of handles and of nested objects; a sealed key has a dozen.
const MOST: usize = 64;

/// The bytes after the object.
pub(super) fn skip(bytes: &[u8]) -> Option<&[u8]> {
    let mut input = Input(bytes);
    (input.u32()? == MAGIC_AND_VERSION).then_some(())?;
    let mut stream = Stream {
        input,
        classes: Vec::new(),
    };
    stream.content(0)?;
    Some(stream.input.0)
}

/// A class description.
#[derive(Clone)]
struct Class {
    /// The types of the fields in their order in an object, those of the superclass first.
    fields: Vec<u8>,
    /// Whether it is `[B`, a byte array.
    bytes: bool,
}

struct Stream<'a> {
    input: Input<'a>,
    /// The handles; `None` for anything but a class.
    classes: Vec<Option<Class>>,
}

impl Stream<'_> {
    fn remember(&mut self, class: Option<Class>) -> Option<()> {
        (self.classes.len() < MOST).then(|| self.classes.push(class))
    }

    fn byte(&mut self) -> Option<u8> {
        self.input.take(1)?.first().copied()
    }

    fn content(&mut self, depth: usize) -> Option<()> {
        (depth < MOST).then_some(())?;
        match self.byte()? {
            NULL => {}
            REFERENCE => drop(self.input.u32()?),
            STRING => {
                self.remember(None)?;
                let length = self.input.u16()?;
                self.input.take(length.into())?;
            }
            ARRAY => {
                let class = self.class(depth + 1)??;
                self.remember(None)?;
                class.bytes.then_some(())?;
                self.input.block()?;
            }
            OBJECT => {
                let class = self.class(depth + 1)??;
                self.remember(None)?;
                for field in class.fields {
                    match field {
                        b'B' | b'Z' => drop(self.input.take(1)?),
                        b'C' | b'S' => drop(self.input.take(2)?),
                        b'F' | b'I' => drop(self.input.take(4)?),
                        b'D' | b'J' => drop(self.input.take(8)?),
                        _ => self.content(depth + 1)?,
                    }
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Parses a class description; the inner `None` is a null reference.
    fn class(&mut self, depth: usize) -> Option<Option<Class>> {
        (depth < MOST).then_some(())?;
        match self.byte()? {
            NULL => Some(None),
            REFERENCE => {
                let at = self.input.u32()?.checked_sub(BASE)?;
                let class = self.classes.get(usize::try_from(at).ok()?)?;
                class.clone().map(Some)
            }
            CLASS => {
                let name = self.input.text()?;
                let _version = self.input.take(8)?;
                let handle = self.classes.len();
                self.remember(None)?;
                let flags = self.byte()?;
                // Only SC_SERIALIZABLE: no class with its own `writeObject`.
                (flags == 2).then_some(())?;
                let count = self.input.u16()?;
                let mut own = Vec::new();
                for _ in 0..count {
                    let kind = self.byte()?;
                    let _name = self.input.text()?;
                    if matches!(kind, b'L' | b'[') {
                        self.content(depth + 1)?;
                    }
                    own.push(kind);
                }
                (self.byte()? == END).then_some(())?;
                let above = self.class(depth + 1)?;
                let mut fields = above.map_or_else(Vec::new, |above| above.fields);
                fields.extend(own);
                (fields.len() <= MOST).then_some(())?;
                let class = Class {
                    fields,
                    bytes: name == "[B",
                };
                *self.classes.get_mut(handle)? = Some(class.clone());
                Some(Some(class))
            }
            _ => None,
        }
    }
}
