//! Seals of compiled code: hashes with a key that only this user can read, so nobody else can have made the code.

use crate::util::cache_files::{random, write_private};
use crate::util::trust::read_own;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The key of a cache.
pub struct SealKey([u8; blake3::KEY_LEN]);

impl SealKey {
    /// The key in `file`. Fails if others could have read or written it.
    pub fn read(file: &Path) -> io::Result<Self> {
        let unusable = || io::Error::new(io::ErrorKind::InvalidData, format!("{} is no key", file.display()));
        if fs::symlink_metadata(file)?.mode() & 0o077 != 0 {
            return Err(unusable());
        }
        read_own(file)?.try_into().map(Self).map_err(|_| unusable())
    }

    /// The key in `file`, or a new one. With a new key, all code is compiled again.
    pub fn ready(file: &Path) -> io::Result<Self> {
        let unusable = match Self::read(file) {
            Ok(key) => return Ok(key),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        if unusable {
            fs::remove_file(file)?;
        }
        let mut key = [0; blake3::KEY_LEN];
        random(&mut key)?;
        let new = beside(file);
        write_private(&new, &key)?;
        // Another process may have made one meanwhile: the first one counts.
        let linked = fs::hard_link(&new, file);
        let _ = fs::remove_file(&new);
        match linked {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Self::read(file),
        }
    }

    /// The seal of `content` under a name: code does not pass under the name of other code.
    pub fn seal(&self, name: &str, mut content: impl Read) -> io::Result<String> {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&(name.len() as u64).to_le_bytes());
        hasher.update(name.as_bytes());
        let mut buffer = vec![0; 1 << 18];
        loop {
            let read = content.read(&mut buffer)?;
            if read == 0 {
                return Ok(hasher.finalize().to_hex().to_string());
            }
            hasher.update(&buffer[..read]);
        }
    }

    /// Whether `seal` is the seal of `content` under this name.
    pub fn fits(&self, seal: &str, name: &str, content: impl Read) -> io::Result<bool> {
        let Ok(seal) = blake3::Hash::from_hex(seal) else { return Ok(false) };
        let found = self.seal(name, content)?;
        // The comparison of hashes takes the same time wherever they differ.
        Ok(blake3::Hash::from_hex(found).is_ok_and(|found| found == seal))
    }
}

fn beside(file: &Path) -> PathBuf {
    file.with_extension(format!("{}-{:?}", std::process::id(), std::thread::current().id()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_seal_is_of_one_key_name_and_content() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        let key = SealKey::ready(&file).unwrap();
        assert_eq!(fs::metadata(&file).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let seal = key.seal("a", &b"code"[..]).unwrap();
        let again = SealKey::ready(&file).unwrap();
        assert!(again.fits(&seal, "a", &b"code"[..]).unwrap());
        assert!(!again.fits(&seal, "b", &b"code"[..]).unwrap());
        assert!(!again.fits(&seal, "a", &b"c0de"[..]).unwrap());
        assert!(!again.fits(&seal, "ac", &b"ode"[..]).unwrap());
        assert!(!again.fits("", "a", &b"code"[..]).unwrap());
        // A key that others could read is as good as theirs.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(SealKey::read(&file).is_err());
        let new = SealKey::ready(&file).unwrap();
        assert!(!new.fits(&seal, "a", &b"code"[..]).unwrap());
        fs::write(&file, "short").unwrap();
        assert!(SealKey::read(&file).is_err() && SealKey::ready(&file).is_ok());
    }
}
