//! `bolt-host exec`, and a project of Django: its commands, its pages, its admin.

use crate::common::packages::copied;
use crate::common::{BINARY, Server, scratch};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const PROJECT: [&str; 14] = [
    "manage.py",
    "requirements.txt",
    "proj/__init__.py",
    "proj/settings.py",
    "proj/urls.py",
    "proj/wsgi.py",
    "shop/__init__.py",
    "shop/admin.py",
    "shop/models.py",
    "shop/views.py",
    "shop/migrations/__init__.py",
    "shop/migrations/0001_initial.py",
    "shop/static/shop/shop.css",
    "shop/templates/shop/stock.html",
];

/// A project, and its database.
struct Project {
    folder: PathBuf,
    database: String,
}

impl Project {
    fn of_django() -> Self {
        let folder = copied("exec-django", "tests/django", &PROJECT).parent().unwrap().to_owned();
        let database = format!("main=sqlite:{}", scratch("exec").join("shop.db").display());
        Self { folder, database }
    }

    fn command(&self, flags: &[&str], words: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.current_dir(&self.folder).args(["exec", "proj.wsgi", "--sql", &self.database]);
        command.args(flags).arg("--").args(words);
        command
    }

    /// Run a command that succeeds; returns its standard output.
    fn exec(&self, flags: &[&str], words: &[&str]) -> String {
        let output = self.command(flags, words).output().unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        text(&output.stdout)
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The exit code, the standard output and the standard error.
fn ended(output: &Output) -> (Option<i32>, String, String) {
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_project_of_django_runs_with_its_commands_and_its_admin() {
    let project = Project::of_django();
    let migrated = project.exec(&[], &["manage.py", "migrate"]);
    assert!(migrated.contains("Applying shop.0001_initial... OK"), "{migrated}");
    assert!(project.exec(&[], &["manage.py", "migrate"]).contains("No migrations to apply"));
    project.exec(
        &[],
        &[
            "manage.py",
            "shell",
            "-c",
            "from shop.models import Item; Item.objects.create(name='tea', count=3)",
        ],
    );
    let user = ["--noinput", "--username", "ann", "--email", "ann@shop.example"];
    let created = project.exec(
        &["--env", "DJANGO_SUPERUSER_PASSWORD=a long password"],
        &[&["manage.py", "createsuperuser"], &user[..]].concat(),
    );
    assert!(created.contains("Superuser created"), "{created}");
    let dumped: serde_json::Value =
        serde_json::from_str(&project.exec(&[], &["manage.py", "dumpdata", "shop"])).unwrap();
    assert_eq!(dumped[0]["fields"]["name"], "tea");
    assert_eq!(project.exec(&[], &["django-admin", "version"]), "5.2.19\n");
    let (code, _, said) = ended(&project.command(&[], &["manage.py", "migrat"]).output().unwrap());
    assert_eq!(code, Some(1));
    assert!(said.contains("Unknown command: 'migrat'. Did you mean migrate?"), "{said}");

    let mut serving = Command::new(BINARY);
    serving.current_dir(&project.folder).args(["run", "--build=first", "proj.wsgi", "--port", "0"]);
    serving.args(["--sql", &project.database, "--log-format", "json"]);
    let server = Server::spawn(serving);
    let page = server.get("/");
    assert!(page.text().contains("<li>tea: 3</li>"), "{} {}", page.status, page.text());
    let style = server.get("/static/shop/shop.css");
    assert_eq!(
        (style.status, style.text(), style.headers["content-type"].as_str()),
        (200, "ul { list-style: none }\n", "text/css; charset=\"utf-8\"")
    );
    assert_eq!(server.get("/static/admin/css/base.css").status, 200);
    assert_eq!(server.get("/static/shop/none.css").status, 404);
    let session = logged_in(&server);
    let listed = server.connect().send("GET", "/admin/shop/item/", &[("cookie", &session)], b"");
    assert!(listed.status == 200 && listed.text().contains("tea"), "{} {}", listed.status, listed.text());
    server.assert_no_panic("django");
}

/// Log in at the admin; returns the cookie.
fn logged_in(server: &Server) -> String {
    let form = server.get("/admin/login/?next=/admin/");
    let token = form.text().split("name=\"csrfmiddlewaretoken\" value=\"").nth(1);
    let token = token.unwrap_or_else(|| panic!("{} {}", form.status, form.text())).split('"').next().unwrap();
    let cookie = form.headers["set-cookie"].split(';').next().unwrap().to_owned();
    let body = format!("csrfmiddlewaretoken={token}&username=ann&password=a+long+password&next=/admin/");
    let headers = [("cookie", cookie.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let answer = server.connect().send("POST", "/admin/login/", &headers, body.as_bytes());
    assert_eq!((answer.status, answer.headers["location"].as_str()), (302, "/admin/"), "{}", answer.text());
    let cookies = answer.headers["set-cookie"].split(", ").map(|cookie| cookie.split(';').next().unwrap());
    let session = cookies.into_iter().find(|cookie| cookie.starts_with("sessionid="));
    session.unwrap_or_else(|| panic!("{:?}", answer.headers)).to_owned()
}

fn plain_app() -> PathBuf {
    let app = scratch("exec").join("app.py");
    std::fs::write(
        &app,
        "from bolt import BoltAPI\napi = BoltAPI()\n@api.get('/')\ndef home() -> int:\n    return 1\n",
    )
    .unwrap();
    app
}

fn exec(app: &Path, flags: &[&str], words: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.arg("exec").arg(app).args(flags).arg("--").args(words);
    command
}

#[test]
fn commands_have_the_output_and_the_exit_code_of_theirs() {
    let app = plain_app();
    std::fs::write(
        app.with_file_name("job.py"),
        "import sys, app\nsys.stdout.buffer.write(b'\\xff\\n')\nsys.stdout.flush()\n\
         print(sys.argv, app.home())\nprint('ä' * 100_000)\nprint('no', file=sys.stderr)\nsys.exit(7)\n",
    )
    .unwrap();
    let output = exec(&app, &[], &["job.py", "--all", "a b"]).output().unwrap();
    let expected = [b"\xff\n['job.py', '--all', 'a b'] 1\n", "ä".repeat(100_000).as_bytes(), b"\n"].concat();
    assert_eq!(output.status.code(), Some(7), "{}", text(&output.stderr));
    assert!(output.stdout == expected, "{} bytes", output.stdout.len());
    assert_eq!(text(&output.stderr), "no\n");

    let found = |flags: &[&str], words: &[&str]| ended(&exec(&app, flags, words).output().unwrap());
    let (code, _, said) = found(&[], &["-c", "1 / 0"]);
    assert_eq!(code, Some(1));
    assert!(
        said.starts_with("Traceback (most recent call last):\n  File \"<string>\", line 1, in <module>\n"),
        "{said}"
    );
    assert!(said.ends_with("ZeroDivisionError: division by zero\n"), "{said}");
    let (code, _, said) = found(&[], &["nothing.py"]);
    assert_eq!((code, said.contains("nothing.py: the app has no such file")), (Some(1), true), "{said}");
    // Nothing of this machine is there.
    let looking =
        "import os; print(dict(os.environ), [os.path.exists(p) for p in ('/etc', '/home', '/tmp')])";
    let (_, seen, _) = found(&["--env", "A=b"], &["-c", looking]);
    assert_eq!(seen, "{'A': 'b'} [False, False, False]\n");
    let (code, seen, _) = found(&[], &["-c", "print(input())"]);
    assert_eq!((code, &*seen), (Some(1), ""));
}

#[test]
fn a_command_that_does_not_end_is_ended() {
    let app = plain_app();
    let (code, seen, said) = ended(
        &exec(&app, &["--deadline", "2s"], &["-c", "print('begun')\nwhile True: pass"]).output().unwrap(),
    );
    assert_eq!((code, &*seen), (Some(1), "begun\n"), "{said}");
    assert!(said.contains("error: the command was ended"), "{said}");

    // Whoever reads the output may stop.
    let endless = "while True: print('more')";
    let mut child =
        exec(&app, &[], &["-c", endless]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 5];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    drop(child.stdout.take());
    assert_eq!((&first, child.wait().unwrap().code()), (b"more\n", Some(1)));
}
