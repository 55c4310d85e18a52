//! The files of a folder: `0001_users.sql`, in the order of their numbers.

use std::fs;
use std::path::Path;

/// Longest file, in bytes.
const LONGEST: u64 = 64 * 1024 * 1024;

/// A file that changes a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    pub number: u64,
    /// Of the file.
    pub name: String,
    pub text: String,
    /// Of the text, in hexadecimal.
    pub hash: String,
}

/// Read a folder. The error is a sentence.
pub fn read(folder: &Path) -> Result<Vec<Migration>, String> {
    let shown = folder.display();
    let entries = fs::read_dir(folder).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("{shown} cannot be read: {error}"))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.ends_with(".sql") || !entry.path().is_file() {
            continue;
        }
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        let number = name[..digits].parse();
        let number = number
            .map_err(|_| format!("{name} has no number: its name begins with one, like 0001_users.sql"))?;
        if entry.metadata().is_ok_and(|metadata| metadata.len() > LONGEST) {
            return Err(format!("{name} has more than {} MiB", LONGEST >> 20));
        }
        let text =
            fs::read_to_string(entry.path()).map_err(|error| format!("{name} cannot be read: {error}"))?;
        let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        found.push(Migration { number, name, text, hash });
    }
    found.sort_by(|one, other| (one.number, &one.name).cmp(&(other.number, &other.name)));
    match found.windows(2).find(|pair| pair[0].number == pair[1].number) {
        Some([one, other]) => Err(format!("{} and {} have the same number", one.name, other.name)),
        _ => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_in_the_order_of_their_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str| fs::write(folder.path().join(name), "select 1").unwrap();
        for name in ["10_c.sql", "0002_b.sql", "1_a.sql", "readme.md"] {
            write(name);
        }
        let names: Vec<_> = read(folder.path()).unwrap().into_iter().map(|file| file.name).collect();
        assert_eq!(names, ["1_a.sql", "0002_b.sql", "10_c.sql"]);
        write("02_again.sql");
        assert!(read(folder.path()).unwrap_err().contains("same number"));
        write("users.sql");
        assert!(read(folder.path()).unwrap_err().contains("no number"));
    }
}
