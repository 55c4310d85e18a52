//! Which files are to be applied, by those that were.

use crate::sql::migrations::Applied;
use crate::sql::migrations::files::Migration;

/// The files that follow what was applied. The error is a sentence.
pub fn pending<'f>(applied: &[Applied], files: &'f [Migration]) -> Result<Vec<&'f Migration>, String> {
    let mut pending: Vec<&Migration> = Vec::new();
    let mut known = 0;
    for file in files {
        let Some((_, hash)) = applied.iter().find(|(name, _)| *name == file.name) else {
            pending.push(file);
            continue;
        };
        known += 1;
        if *hash != file.hash {
            return Err(format!("{} was changed after it was applied: write a new file instead", file.name));
        }
        if let Some(older) = pending.last() {
            let told = format!("{} was not applied, but {} was, which comes after it", older.name, file.name);
            return Err(told + ": give it a higher number");
        }
    }
    if known < applied.len() {
        let missing = applied.iter().find(|(name, _)| files.iter().all(|file| file.name != *name));
        let name = missing.map_or("", |(name, _)| name);
        return Err(format!("{name} was applied, and is not in the folder: this is an older version of it"));
    }
    Ok(pending)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: u64) -> Migration {
        let (name, hash) = (format!("{number}.sql"), format!("hash {number}"));
        Migration { number, name, text: String::new(), hash }
    }

    fn applied(number: u64) -> Applied {
        (format!("{number}.sql"), format!("hash {number}"))
    }

    #[test]
    fn what_was_not_applied_follows() {
        let files = [1, 2, 3].map(file);
        let names = |applied: &[Applied]| {
            pending(applied, &files).map(|files| files.iter().map(|file| file.number).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]), Ok(vec![1, 2, 3]));
        assert_eq!(names(&[1, 2].map(applied)), Ok(vec![3]));
        assert!(names(&[1, 3].map(applied)).unwrap_err().contains("2.sql was not applied"));
        assert!(names(&[1, 4].map(applied)).unwrap_err().contains("older version"));
        assert!(names(&[("1.sql".to_owned(), String::new())]).unwrap_err().contains("changed"));
    }
}
