//! A row's attributes, laid out for a reader that looks at every one of them.
//!
//! An audit asks each row for some thirty names and then writes all of it out for its digest, so what it costs is to find
//! names and to fetch memory. Names therefore stand side by side in one piece of memory, not each in its own.

use std::fmt;
use std::ops::Index;

use crate::value::Value;

/// A row: attributes by name, sorted by the names' bytes.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Row {
    attributes: Vec<(Name, Value)>,
}

impl Row {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn len(&self) -> usize {
        self.attributes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.attributes.is_empty()
    }

    // Rows have few attributes, and their names' lengths tell most apart: going through them is faster than halving, whose
    // every step waits for the one before. Inlined, a name that is known there is compared in an instruction or two.
    #[inline(always)]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.attributes.iter().find(|(known, _)| known.is(name)).map(|(_, value)| value)
    }

    #[inline]
    pub fn contains_key(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Sets an attribute; answers the value it had.
    pub fn insert(&mut self, name: impl AsRef<str>, value: Value) -> Option<Value> {
        let name = Name::from(name.as_ref());
        match self.position(&name) {
            Ok(at) => Some(std::mem::replace(&mut self.attributes[at].1, value)),
            Err(at) => {
                self.attributes.insert(at, (name, value));
                None
            }
        }
    }

    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.position(&Name::from(name)).ok().map(|at| self.attributes.remove(at).1)
    }

    /// All attributes, by rising name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.attributes.iter().map(|(name, value)| (name.as_str(), value))
    }

    pub(crate) fn attributes(&self) -> &[(Name, Value)] {
        &self.attributes
    }

    fn position(&self, name: &Name) -> Result<usize, usize> {
        self.attributes.binary_search_by(|(known, _)| known.as_bytes().cmp(name.as_bytes()))
    }
}

/// Of attributes with one name the last stays.
impl<N: AsRef<str>> FromIterator<(N, Value)> for Row {
    fn from_iter<T: IntoIterator<Item = (N, Value)>>(attributes: T) -> Self {
        let mut attributes: Vec<_> =
            attributes.into_iter().map(|(name, value)| (Name::from(name.as_ref()), value)).collect();
        attributes.sort_by(|(one, _), (other, _)| one.as_bytes().cmp(other.as_bytes()));
        attributes.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        Self { attributes }
    }
}

impl Index<&str> for Row {
    type Output = Value;

    /// # Panics
    /// When there is no such attribute.
    fn index(&self, name: &str) -> &Value {
        self.get(name).unwrap_or_else(|| panic!("no attribute `{name}`"))
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// An attribute's name.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    Word(Word),
    Other(Box<str>),
}

/// A short word of ASCII letters, digits and `_`, as are all names of the books. It stands here as it is written in the
/// text that the digest is computed over: with the quote and the colon that follow, then filled up with blanks.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Word {
    length: u8,
    written: [u8; WRITTEN_BYTES],
}

const WRITTEN_BYTES: usize = 30;
const FOLLOWS: &[u8] = b"\":";

impl Word {
    fn new(word: &str) -> Option<Self> {
        let plain = word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let mut written = [b' '; WRITTEN_BYTES];
        let (name, rest) = written.split_at_mut_checked(word.len()).filter(|_| plain)?;
        name.copy_from_slice(word.as_bytes());
        rest.get_mut(..FOLLOWS.len())?.copy_from_slice(FOLLOWS);
        Some(Self { length: u8::try_from(word.len()).ok()?, written })
    }

    fn as_bytes(&self) -> &[u8] {
        self.written.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// All that is kept: the first [`Word::written_length`] bytes are what is written.
    pub fn written(&self) -> &[u8; WRITTEN_BYTES] {
        &self.written
    }

    pub fn written_length(&self) -> usize {
        usize::from(self.length) + FOLLOWS.len()
    }
}

impl From<&str> for Name {
    fn from(name: &str) -> Self {
        Word::new(name).map_or_else(|| Self::Other(name.into()), Self::Word)
    }
}

impl Name {
    #[inline(always)]
    fn is(&self, name: &str) -> bool {
        match self {
            Self::Word(word) => {
                usize::from(word.length) == name.len() && word.written.get(..name.len()) == Some(name.as_bytes())
            }
            Self::Other(known) => **known == *name,
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Word(word) => word.as_bytes(),
            Self::Other(name) => name.as_bytes(),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Word(word) => std::str::from_utf8(word.as_bytes()).unwrap_or_default(),
            Self::Other(name) => name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u8) -> Value {
        Value::N(number.to_string().into())
    }

    #[test]
    fn attributes_are_sorted_by_name_and_the_last_of_a_name_stays() {
        let long = "a name that is longer than any name of the books";
        let mut row: Row = [("b", number(1)), (long, number(2)), ("é", number(3)), ("a", number(4)), ("b", number(5))]
            .into_iter()
            .collect();
        assert_eq!(row.iter().map(|(name, _)| name).collect::<Vec<_>>(), ["a", long, "b", "é"]);
        assert_eq!((row.get("b"), row.get(long), row.get("c")), (Some(&number(5)), Some(&number(2)), None));
        assert_eq!((row.insert("b", number(6)), row.insert("c", number(7))), (Some(number(5)), None));
        assert_eq!((row.remove(long), row.remove(long)), (Some(number(2)), None));
        assert_eq!(format!("{row:?}"), r#"{"a": N("4"), "b": N("6"), "c": N("7"), "é": N("3")}"#);
    }

    #[test]
    fn a_name_is_itself_alone_however_it_is_kept() {
        let names = ["", "a", "a\0", "a\"", "é", &"n".repeat(28), &"n".repeat(29), &"n".repeat(40)];
        for (at, name) in names.iter().enumerate() {
            assert_eq!(names.iter().position(|other| Name::from(*other) == Name::from(*name)), Some(at));
            assert_eq!(Name::from(*name).as_str(), *name);
        }
    }
}
