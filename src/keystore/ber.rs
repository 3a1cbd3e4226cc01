//! The part of BER (X.690) that stores use. BouncyCastle and NSS write indefinite lengths and constructed octet
//! strings, which a DER parser refuses.

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
/// The maximum nesting. No store needs more, and each level costs another pass over the bytes.
const DEEPEST: u8 = 24;
/// The maximum number of elements at one level.
const MOST: usize = 20_000;

/// One element: its tag and its contents.
#[derive(Clone, Copy)]
pub(super) struct Element<'a> {
    pub tag: u8,
    /// The contents, without the end-of-contents octets.
    pub content: &'a [u8],
    /// The whole element, with tag and length.
    pub whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// Parses bytes that are exactly one element.
    pub(super) fn only(bytes: &'a [u8]) -> Option<Self> {
        let (element, rest) = Self::first(bytes, DEEPEST)?;
        rest.is_empty().then_some(element)
    }

    /// Parses the first element, and returns it with the remaining bytes.
    fn first(bytes: &'a [u8], depth: u8) -> Option<(Self, &'a [u8])> {
        let [tag, length, rest @ ..] = bytes else {
            return None;
        };
        let element = |content, end: usize| Self {
            tag: *tag,
            content,
            whole: &bytes[..end],
        };
        // A tag of several octets; no store has one.
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

    /// The elements in the contents.
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

    /// The element itself if it has this tag.
    pub(super) fn of(self, tag: u8) -> Option<Self> {
        (self.tag == tag).then_some(self)
    }

    /// The contents, if they are exactly one element.
    pub(super) fn inner(&self) -> Option<Element<'a>> {
        Self::only(self.content)
    }

    /// The octets of an octet string, primitive or constructed, whatever its tag.
    pub(super) fn octets(&self) -> Option<Cow<'a, [u8]>> {
        if self.tag & CONSTRUCTED == 0 {
            return Some(Cow::Borrowed(self.content));
        }
        let mut octets = Vec::new();
        for piece in self.children()? {
            // Deeper nesting is not supported; no program writes it.
            octets.extend_from_slice(piece.of(OCTETS)?.content);
        }
        Some(Cow::Owned(octets))
    }

    /// A non-negative integer that fits into 64 bits.
    pub(super) fn number(&self) -> Option<u64> {
        let content = self.of(INTEGER)?.content;
        let significant = content.strip_prefix(&[0]).unwrap_or(content);
        let negative = content.first()? & 0x80 != 0;
        let fits = !negative && significant.len() <= 8;
        fits.then(|| significant.iter().fold(0, |n, o| n << 8 | u64::from(*o)))
    }
}

/// The length of the contents up to the end-of-contents octets (X.690 §8.1.3.6).
fn inner_length(bytes: &[u8], depth: u8) -> Option<usize> {
    let mut rest = bytes;
    while !rest.starts_with(&[0, 0]) {
        rest = Element::first(rest, depth)?.1;
    }
    Some(bytes.len() - rest.len())
}

/// An object identifier in dotted form.
pub(super) fn dotted(oid: &[u8]) -> String {
    match pkcs8::ObjectIdentifier::from_bytes(oid) {
        Ok(oid) => oid.to_string(),
        Err(_) => "with an invalid object identifier".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_found_by_their_end_and_strings_in_pieces_are_read() {
        // SEQUENCE { OCTET STRING { "ab" "c" }, INTEGER 300 }, with indefinite lengths for both constructed elements.
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
