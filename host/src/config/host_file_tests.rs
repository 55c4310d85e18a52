//! Tests of host files: what they mean, and how mistakes in them are told.

use super::*;
use std::fs;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn mistakes_in_a_host_file_are_named_with_their_lines() {
    let told = |text: &str| HostFile::parse(text, Path::new("/nowhere/host.toml"), 2).unwrap_err();
    let source = root().join("tests/tenant/shop.py").display().to_string();
    let shop = format!("[app.shop]\nsource = \"{source}\"\n");
    for (text, line, word) in [
        ("[server]\nport = 1".to_owned(), 2, "port"),
        ("[server]\nlisten = [\"nonsense\"]".to_owned(), 2, "address"),
        ("[server]\ndrain = \"3 years\"".to_owned(), 2, "a time is"),
        ("[server]\nadmin = \"here\"\n".to_owned() + &shop, 2, "127.0.0.1:9000"),
        ("[server]\nadmin-token-file = \"gone\"\n".to_owned() + &shop, 2, "No such file"),
        ("[server]\nadmin-names = [\"a\", \"http://b\"]\n".to_owned() + &shop, 2, "not a host name"),
        ("[server]\nworkers = 0\n".to_owned() + &shop, 2, "between 1 and 1024"),
        ("[server]\ninstances = 0\n".to_owned() + &shop, 2, "between 1 and 100000"),
        ("[server]\nbuilders = 0\n".to_owned() + &shop, 2, "between 1 and 64"),
        (String::new(), 1, "there is no app"),
        ("[app.a]\nsource = \"gone.wasm\"".to_owned(), 2, "no such file"),
        ("[app.a]\nsource = \"gone.txt\"".to_owned(), 2, ".py file"),
        ("[app.a]\n".to_owned(), 1, "source"),
        (shop.clone() + "root = \"elsewhere\"", 3, "not below the root"),
        (shop.clone() + "hosts = [\"http://x\"]", 3, "not a host name"),
        (shop.clone() + "prefix = \"shop\"", 3, "not a path prefix"),
        (shop.clone() + "isolation = \"none\"", 3, "serial"),
        (shop.clone() + "[app.shop.limits]\nmemory = \"lots\"", 4, "a size is"),
        (shop.clone() + "[app.shop.limits]\nmemry = \"1MiB\"", 4, "memry"),
        (shop.clone() + "[app.shop.http]\nallow = [\"a b\"]", 4, "HOST[:PORT]"),
        (shop.clone() + "[app.shop.files]\n\"/data\" = { path = \"gone\" }", 4, "no folder"),
        (shop.clone() + "[app.shop.files]\n\"data\" = { path = \"/\" }", 4, "write /data"),
        (format!("{shop}[app.two]\nsource = \"{source}\""), 3, "two is mounted where shop already is"),
        ("[app.\"a b\"]\nsource = \"x.py\"".to_owned(), 1, "the name of an app"),
        ("[app".to_owned(), 1, "table"),
    ] {
        let told = told(&text);
        assert!(told.contains(&format!("host.toml:{line}: ")) && told.contains(word), "{text}\n→ {told}");
    }
    let two = told("[app.a]\nsource = \"gone.wasm\"\nprefix = \"x\"");
    assert_eq!(two.lines().count(), 2, "{two}");
    let file = HostFile::parse(&shop, Path::new("/nowhere/host.toml"), 3).unwrap();
    assert_eq!((file.config.workers, file.tenants.len()), (3, 1));
}

#[test]
fn the_pages_host_file_is_one() {
    let page = fs::read_to_string(root().join("docs/9-many-apps.md")).unwrap();
    let text = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::create_dir(folder.join("shop-data")).unwrap();
    fs::create_dir(folder.join("admin")).unwrap();
    fs::write(folder.join("shop.wasm"), "").unwrap();
    fs::write(folder.join("admin/app.py"), "").unwrap();
    let file = HostFile::parse(text, &folder.join("host.toml"), 1).unwrap();
    let hosts = file.hosts();
    let find = |host, path| hosts.find(host, path).map(|(index, _)| &*file.tenants[index].name);
    assert_eq!(find("shop.example", "/"), Some("shop"));
    assert_eq!(find("shop.example", "/admin/x"), Some("admin"));
    assert_eq!(file.tenants[1].config.limits.max_cpu, Some(Duration::from_millis(500)));
    assert_eq!(file.tenants[0].config.limits.memory, 128 << 20);
}
