//! What the versions of an app share, such as its topics, for as long as one of them has it.

use crate::util::locks::lock;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};

/// One of these for each app.
#[derive(Debug)]
pub struct ByApp<T>(Arc<Mutex<HashMap<String, Weak<T>>>>);

impl<T> Clone for ByApp<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for ByApp<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> ByApp<T> {
    /// `choose` gets what the app has, and returns that or another one.
    pub fn find(&self, app: &str, choose: impl FnOnce(Option<Arc<T>>) -> Arc<T>) -> Arc<T> {
        let mut all = lock(&self.0);
        all.retain(|_, one| one.strong_count() > 0);
        let chosen = choose(all.get(app).and_then(Weak::upgrade));
        all.insert(app.to_owned(), Arc::downgrade(&chosen));
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_share_it_while_one_has_it() {
        let all = ByApp::<u32>::default();
        let get = |app, wanted: u32| {
            all.find(app, |known| known.filter(|known| **known == wanted).unwrap_or_else(|| Arc::new(wanted)))
        };
        let first = get("a", 1);
        assert!(Arc::ptr_eq(&first, &get("a", 1)));
        assert!(!Arc::ptr_eq(&first, &get("b", 1)));
        let changed = get("a", 2);
        assert_eq!((*first, *changed), (1, 2));
        assert!(Arc::ptr_eq(&changed, &get("a", 2)));
        drop((first, changed));
        get("c", 1);
        assert!(!lock(&all.0).contains_key("a"));
    }
}
