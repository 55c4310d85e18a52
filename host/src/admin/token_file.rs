//! The token that a host makes for its admin endpoint, in a file that only its user can read. The commands find it there.

use crate::config::admin_access::AdminToken;
use crate::util::cache_files::{private_folder, random, write_private};
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// The file of a running host's token; dropping it deletes the file.
#[derive(Debug)]
pub struct TokenFile {
    pub path: PathBuf,
    token: AdminToken,
}

impl TokenFile {
    /// Make a token for the endpoint at `address`.
    pub fn create(cache: &Path, address: SocketAddr) -> io::Result<Self> {
        let mut secret = [0; 32];
        random(&mut secret)?;
        let text: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        let token = AdminToken::parse(&text).map_err(io::Error::other)?;
        let path = place(cache, address);
        private_folder(cache)?;
        private_folder(&folder(cache))?;
        write_private(&path, text.as_bytes())?;
        Ok(Self { path, token })
    }

    pub fn token(&self) -> &AdminToken {
        &self.token
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        // A host that took the address over has written its own.
        if AdminToken::read(&self.path).is_ok_and(|found| found == self.token) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The token of this user's host at `address`. A host on all addresses is found at loopback only: elsewhere, another
/// machine might listen, and would learn the token.
pub fn find(cache: &Path, address: SocketAddr) -> Option<AdminToken> {
    let everywhere = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    let everywhere = everywhere.iter().filter(|_| address.ip().to_canonical().is_loopback());
    let places = everywhere.map(|ip| SocketAddr::new(*ip, address.port()));
    std::iter::once(address).chain(places).find_map(|address| AdminToken::read(&place(cache, address)).ok())
}

fn folder(cache: &Path) -> PathBuf {
    cache.join("admin")
}

fn place(cache: &Path, address: SocketAddr) -> PathBuf {
    folder(cache).join(format!("{address}.token"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_is_kept_for_its_user_and_its_address() {
        let cache = tempfile::tempdir().unwrap();
        fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let at = |text: &str| text.parse::<SocketAddr>().unwrap();
        let file = TokenFile::create(cache.path(), at("0.0.0.0:9000")).unwrap();
        let other = TokenFile::create(cache.path(), at("127.0.0.1:9001")).unwrap();
        assert_eq!(fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_ne!(file.token(), other.token());
        assert_eq!(find(cache.path(), at("127.0.0.1:9000")).as_ref(), Some(file.token()));
        assert_eq!(find(cache.path(), at("[::1]:9000")).as_ref(), Some(file.token()));
        assert_eq!(find(cache.path(), at("127.0.0.1:9001")).as_ref(), Some(other.token()));
        for elsewhere in ["192.0.2.1:9000", "127.0.0.1:9002", "127.0.0.2:9001"] {
            assert_eq!(find(cache.path(), at(elsewhere)), None, "{elsewhere}");
        }
        let taken = TokenFile::create(cache.path(), at("127.0.0.1:9001")).unwrap();
        drop(other);
        assert_eq!(find(cache.path(), at("127.0.0.1:9001")).as_ref(), Some(taken.token()));
        drop((file, taken));
        assert_eq!(fs::read_dir(folder(cache.path())).unwrap().count(), 0);
    }
}
