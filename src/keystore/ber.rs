//! BER (X.690), as far as stores are written in it: BouncyCastle and NSS write lengths that are found by their end, and
//! octet strings in pieces, which a reader of DER refuses.

use std::borrow::Cow;

pub(super) const INTEGER: u8 = 0x02;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const BMP_STRING: u8 = 0x1e;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `[0]`, constructed.
pub(super) const CONTEXT_0: u8 = 0xa0;

const CONSTRUCTED: u8 = 0x20;
/// No store is nested deeper, and each level is looked through once more.
const DEEPEST: u8 = 24;
/// No store has more elements side by side.
const MOST: usize = 20_000;

/// One element: its identifier and its contents.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub tag: u8,
    /// Without what ends a length that is found by its end.
    pub content: &'a [u8],
    /// With identifier and length.
    pub whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// The element that the bytes are, and nothing after it.
    pub(super) fn only(bytes: &'a [u8]) -> Option<Self> {
        let (element, rest) = Self::first(bytes, DEEPEST)?;
        rest.is_empty().then_some(element)
    }

    /// The element that the bytes begin with, and what follows it.
    fn first(bytes: &'a [u8], depth: u8) -> Option<(Self, &'a [u8])> {
        let [tag, length, rest @ ..] = bytes else {
            return None;
        };
        let element = |content, end: usize| Self {
            tag: *tag,
            content,
            whole: &bytes[..end],
        };
        // Identifiers of several octets: no store has one.
        if tag & 0x1f == 0x1f {
            return None;
        }
        if *length == 0x80 {
            let inner = inner_length(rest, depth.checked_sub(1)?)?;
            let constructed = tag & CONSTRUCTED != 0;
            let end = inner + 4;
            return constructed.then(|| (element(&rest[..inner], end), &bytes[end..]));
        }
        let (length, rest) = match length & 0x80 {
            0 => (usize::from(*length), rest),
            _ => {
                let count = usize::from(length & 0x7f);
                let (octets, rest) = rest.split_at_checked(count)?;
                if count > 4 {
                    return None;
                }
                let length = octets.iter().fold(0, |n, o| n << 8 | usize::from(*o));
                (length, rest)
            }
        };
        let (content, after) = rest.split_at_checked(length)?;
        Some((element(content, bytes.len() - after.len()), after))
    }

    /// What the contents consist of.
    pub(super) fn children(&self) -> Option<Vec<Element<'a>>> {
        let mut children = Vec::new();
        let mut rest = self.content;
        while !rest.is_empty() {
            let (child, after) = Self::first(rest, DEEPEST)?;
            children.push(child);
            rest = after;
            if children.len() > MOST {
                return None;
            }
        }
        Some(children)
    }

    /// The contents of an element with this tag.
    pub(super) fn of(self, tag: u8) -> Option<Self> {
        (self.tag == tag).then_some(self)
    }

    /// The one element that the contents are.
    pub(super) fn inner(&self) -> Option<Element<'a>> {
        Self::only(self.content)
    }

    /// The octets of an octet string, whatever its tag: in one piece, or in several.
    pub(super) fn octets(&self) -> Option<Cow<'a, [u8]>> {
        if self.tag & CONSTRUCTED == 0 {
            return Some(Cow::Borrowed(self.content));
        }
        let mut octets = Vec::new();
        for piece in self.children()? {
            // Pieces of pieces: nobody writes them.
            octets.extend_from_slice(piece.of(OCTETS)?.content);
        }
        Some(Cow::Owned(octets))
    }

    /// A whole number that is not negative and fits.
    pub(super) fn number(&self) -> Option<u64> {
        let content = self.of(INTEGER)?.content;
        let significant = content.strip_prefix(&[0]).unwrap_or(content);
        let negative = content.first()? & 0x80 != 0;
        let fits = !negative && significant.len() <= 8;
        fits.then(|| significant.iter().fold(0, |n, o| n << 8 | u64::from(*o)))
    }
}

/// How long the elements are before the one that ends them (X.690 §8.1.3.6).
fn inner_length(bytes: &[u8], depth: u8) -> Option<usize> {
    let mut rest = bytes;
    while !rest.starts_with(&[0, 0]) {
        rest = Element::first(rest, depth)?.1;
    }
    Some(bytes.len() - rest.len())
}

/// An object identifier in dots; what is none is shown as such.
pub(super) fn dotted(oid: &[u8]) -> String {
    match pkcs8::ObjectIdentifier::from_bytes(oid) {
        Ok(oid) => oid.to_string(),
        Err(_) => "that is no object identifier".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_found_by_their_end_and_strings_in_pieces_are_read() {
        // SEQUENCE { OCTET STRING { "ab" "c" }, INTEGER 300 }, both constructed ones without a length.
        let bytes = [
            0x30, 0x80, 0x24, 0x80, 4, 2, b'a', b'b', 4, 1, b'c', 0, 0, 2, 2, 1, 44, 0, 0,
        ];
        let sequence = Element::only(&bytes).unwrap().of(SEQUENCE).unwrap();
        let [string, number] = sequence.children().unwrap()[..] else {
            panic!()
        };
        assert_eq!(&*string.octets().unwrap(), b"abc");
        assert_eq!(number.number(), Some(300));
        assert_eq!(number.whole, [2, 2, 1, 44]);
        for end in 0..bytes.len() {
            assert!(Element::only(&bytes[..end]).is_none(), "{end}");
        }
    }

    #[test]
    fn lengths_that_lie_and_endless_nesting_are_refused() {
        for bytes in [
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0][..],
            &[0x30, 0x85, 0, 0, 0, 0, 1, 0],
            &[0x04, 0x80, 0, 0],
            &[0x1f, 0x81, 0],
            &[0x30],
            &[],
        ] {
            assert!(Element::only(bytes).is_none(), "{bytes:?}");
        }
        assert!(Element::only(&[0x30, 0x80].repeat(1000)).is_none());
        let number = |bytes| Element::only(bytes).unwrap().number();
        assert_eq!(number(&[2, 1, 0xff]), None);
        assert_eq!(
            number(&[2, 9, 0, 0xff, 255, 255, 255, 255, 255, 255, 255]),
            Some(u64::MAX)
        );
    }
}
