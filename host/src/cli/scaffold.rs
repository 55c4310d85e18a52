//! Creates a new project: an app that runs and has passing tests.

use std::fs;
use std::path::Path;

/// The files of a project, by name.
const FILES: [(&str, &str); 4] = [
    ("app.py", include_str!("../../assets/project/app.py")),
    ("test_app.py", include_str!("../../assets/project/test_app.py")),
    ("README.md", include_str!("../../assets/project/README.md")),
    (".gitignore", include_str!("../../assets/project/gitignore")),
];

/// Create a project in a folder that must be missing or empty. The error is a user-facing message.
pub fn create(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    let name = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
    if name.is_empty() || !name.chars().all(plain) {
        return Err(format!("{shown}: a project name has letters, digits, '-', '_' and '.' only"));
    }
    fs::create_dir_all(folder).map_err(|e| format!("{shown}: {e}"))?;
    let mut entries = fs::read_dir(folder).map_err(|e| format!("{shown}: {e}"))?;
    if entries.next().is_some() {
        return Err(format!("{shown}: the folder is not empty"));
    }
    for (file, text) in FILES {
        let path = folder.join(file);
        fs::write(&path, text.replace("{{name}}", name)).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(())
}
