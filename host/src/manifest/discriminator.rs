//! The key that tells the models of a union apart, and which model each of its values stands for.

use crate::manifest::types::{Tag, Type};
use std::collections::HashMap;

/// Built once for a union of tagged models: an app may declare thousands of them.
#[derive(Debug, Clone)]
pub struct Discriminator {
    pub key: String,
    arms: HashMap<String, usize>,
    /// The messages of errors.
    pub missing: String,
    pub unknown: String,
}

impl Discriminator {
    /// `None` if the arms are not models that all have a tag under one key. `tags`: those of all models.
    pub fn of(arms: &[Type], tags: &[Option<Tag>]) -> Option<Self> {
        let mut key: Option<&String> = None;
        let (mut by_tag, mut listed) = (HashMap::new(), Vec::new());
        for (position, arm) in arms.iter().enumerate().filter(|(_, arm)| !matches!(arm, Type::None)) {
            let Type::Model(index) = arm else { return None };
            let (own, tag) = tags[*index].as_ref()?;
            if *key.get_or_insert(own) != own {
                return None;
            }
            listed.push(format!("'{tag}'"));
            by_tag.entry(tag.clone()).or_insert(position);
        }
        let key = key?.clone();
        Some(Self {
            missing: format!("Unable to extract tag using discriminator '{key}'"),
            unknown: format!(
                "Input tag found using '{key}' does not match any of the expected tags: {}",
                listed.join(", ")
            ),
            key,
            arms: by_tag,
        })
    }

    /// The tag's arm, and the tag as the app declares it.
    pub fn arm(&self, tag: &str) -> Option<(usize, &str)> {
        self.arms.get_key_value(tag).map(|(tag, position)| (*position, tag.as_str()))
    }
}
