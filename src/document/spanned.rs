//! Deserializes a tree into types, and keeps positions.

use serde::Deserialize;
use serde::de::{
    self, DeserializeSeed, Deserializer, IntoDeserializer, MapAccess, SeqAccess, Visitor,
    value::{Error, MapAccessDeserializer, SeqAccessDeserializer, SeqDeserializer},
};

use super::{
    text::Span,
    yaml::{Entry, Node, Value},
    yaml_scalar::Kind,
};

/// The names with which the types below request what serde's data model lacks.
const SPANNED: &str = "$kpki::Spanned";
const ONE_OR_MANY: &str = "$kpki::OneOrMany";
const SCALAR: &str = "$kpki::Scalar";

/// A value and its position.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename = "$kpki::Spanned")]
pub(crate) struct Spanned<T> {
    pub value: T,
    pub span: Span,
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// An optional value.
pub(crate) fn value_or<T: Copy>(said: &Option<Spanned<T>>, default: T) -> T {
    said.as_ref().map_or(default, |said| said.value)
}

/// A list, or a single value in its place.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename = "$kpki::OneOrMany")]
pub(crate) struct OneOrMany<T>(pub Vec<T>);

/// A string, a number or a boolean, as a string.
#[derive(Clone, Deserialize)]
#[serde(rename = "$kpki::Scalar")]
pub(crate) struct Scalar(pub String);

/// Reads a value from a tree that `check_shape` has accepted.
pub(crate) fn from_node<T: for<'de> Deserialize<'de>>(node: &Node) -> Result<T, Error> {
    T::deserialize(node)
}

/// Reads either a string or a mapping. serde's `untagged` would lose the positions.
pub(crate) fn text_or_map<'de, D: Deserializer<'de>, T, M: Deserialize<'de>>(
    deserializer: D,
    text: fn(&str) -> Result<T, Error>,
    map: fn(M) -> T,
) -> Result<T, D::Error> {
    struct Either<T, M>(fn(&str) -> Result<T, Error>, fn(M) -> T);
    impl<'de, T, M: Deserialize<'de>> Visitor<'de> for Either<T, M> {
        type Value = T;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a string or a mapping")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
            (self.0)(text).map_err(E::custom)
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            M::deserialize(MapAccessDeserializer::new(map)).map(self.1)
        }
    }
    deserializer.deserialize_any(Either(text, map))
}

impl<'de> Deserializer<'de> for &Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.value {
            Value::Scalar(text, kind) => match kind {
                Kind::Null => visitor.visit_unit(),
                Kind::Bool(value) => visitor.visit_bool(*value),
                Kind::Int(value) => visitor.visit_i64(*value),
                Kind::Float | Kind::Text => visitor.visit_str(text),
            },
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Entries(entries.iter(), None)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.value {
            Value::Scalar(_, Kind::Null) => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match (name, &self.value) {
            (ONE_OR_MANY, Value::Map(_) | Value::Scalar(..)) => {
                let one = Items(std::slice::from_ref(self).iter());
                visitor.visit_newtype_struct(SeqAccessDeserializer::new(one))
            }
            (SCALAR, Value::Scalar(text, kind)) => {
                let text = match kind {
                    Kind::Bool(value) => value.to_string(),
                    // Few other readers support YAML's other number formats, such as 0x10.
                    Kind::Int(value) if !matches!(*value, i64::MIN | i64::MAX) => value.to_string(),
                    _ => text.clone(),
                };
                visitor.visit_newtype_struct(text.into_deserializer())
            }
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            SPANNED => visitor.visit_seq(Parts(self, 0)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.value {
            Value::Scalar(text, Kind::Text) => {
                visitor.visit_enum(text.as_str().into_deserializer())
            }
            _ => Err(de::Error::custom("expected a word")),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map identifier ignored_any
    }
}

/// The entries of a list.
struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        self.0.next().map(|node| seed.deserialize(node)).transpose()
    }
}

/// The keys of a mapping, and the next value.
struct Entries<'a>(std::slice::Iter<'a, Entry>, Option<&'a Node>);

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let Some(entry) = self.0.next() else {
            return Ok(None);
        };
        self.1 = Some(&entry.value);
        // Like any string, so that a key's position is available too.
        let key = Node {
            span: entry.key_span,
            value: Value::Scalar(entry.key.clone(), Kind::Text),
        };
        seed.deserialize(&key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match self.1.take() {
            Some(node) => seed.deserialize(node),
            None => Err(de::Error::custom("a value without its key")),
        }
    }
}

/// A node as the fields of [`Spanned`].
struct Parts<'a>(&'a Node, u8);

impl<'de> SeqAccess<'de> for Parts<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        let Span { file, start, end } = self.0.span;
        self.1 += 1;
        match self.1 {
            1 => seed.deserialize(self.0).map(Some),
            2 => seed
                .deserialize(SeqDeserializer::new([file, start, end].into_iter()))
                .map(Some),
            _ => Ok(None),
        }
    }
}
