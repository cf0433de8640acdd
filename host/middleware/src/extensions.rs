//! What layers leave for each other along a call.

use std::any::{Any, TypeId};
use std::fmt;

/// At most one value of each type. Empty ones allocate nothing.
#[derive(Default)]
pub(crate) struct Extensions {
    // A handful at most: walking it is faster than a hash.
    values: Vec<(TypeId, Box<dyn Any + Send + Sync>)>,
}

impl Extensions {
    pub(crate) fn insert<T: Any + Send + Sync>(&mut self, value: T) {
        let id = TypeId::of::<T>();
        let value: Box<dyn Any + Send + Sync> = Box::new(value);
        match self.values.iter_mut().find(|(known, _)| *known == id) {
            Some(place) => place.1 = value,
            None => self.values.push((id, value)),
        }
    }

    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        let id = TypeId::of::<T>();
        let (_, value) = self.values.iter().find(|(known, _)| *known == id)?;
        value.downcast_ref()
    }

    pub(crate) fn get_mut<T: Any>(&mut self) -> Option<&mut T> {
        let id = TypeId::of::<T>();
        let (_, value) = self.values.iter_mut().find(|(known, _)| *known == id)?;
        value.downcast_mut()
    }
}

impl fmt::Debug for Extensions {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} values", self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_one_place() {
        let mut extensions = Extensions::default();
        extensions.insert(1_u8);
        extensions.insert("text");
        extensions.insert(2_u8);
        assert_eq!(extensions.get::<u8>(), Some(&2));
        assert_eq!(extensions.get::<&str>(), Some(&"text"));
        assert_eq!(extensions.get::<u16>(), None);
        if let Some(value) = extensions.get_mut::<u8>() {
            *value += 1;
        }
        assert_eq!(extensions.get::<u8>(), Some(&3));
    }
}
