//! Tables of a directory over the shipped ones.

use super::*;

const ADDED: &str = r#"
service = "vclaim"

[[operation]]
name = "vclaim.sep.baru.add"
title = "SEP bentuk baru"
kind = "add"
method = "POST"
path = "SEP/3.0/insert"
wrap = "request.t_sep"
repeat_safe = true
deadline = "entry.immediate"
source = "announcement of 2027"

[operation.fields]
noKartu = { type = "kartu", required = true, title = "Nomor kartu" }
"rujukan.noRujukan" = { type = "kode", required = true, title = "Nomor rujukan" }

[[answer]]
name = "refused"
code = [299]
class = "refused"
meaning = "Ditolak."
who = "registration"
next = "Baca pesan BPJS."
source = "announcement of 2027"
"#;

fn over(text: &str) -> Result<Catalogue, BadTable> {
    Catalogue::with_tables(&[("baru.toml", text)])
}

#[test]
fn a_directory_adds_replaces_and_retires_operations() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("10-baru.toml", ADDED);
    write(
        "20-ubah.toml",
        &format!(
            "{}\n[[operation]]\nname = \"vclaim.sep.v1.add\"\nretired = true\n",
            ADDED.replace("[[answer]]", "[[unused]]").split("[[unused]]").next().unwrap()
        ),
    );
    write("catatan.txt", "not a table");
    let catalogue = Catalogue::with_overrides(Some(folder.path())).unwrap();
    let added = catalogue.operation("vclaim.sep.baru.add").unwrap();
    assert_eq!(added.content_type.as_deref(), Some("Application/x-www-form-urlencoded"), "the dialect of its service");
    let path = (Service::Vclaim, Method::Post, "sep/3.0/INSERT/");
    assert_eq!(catalogue.route(path.0, path.1, path.2).unwrap().0.name, "vclaim.sep.baru.add");
    assert_eq!(added.wire(json!({ "noKartu": "x" })), json!({ "request": { "t_sep": { "noKartu": "x" } } }));
    let how: Vec<_> = catalogue.changes().iter().map(|c| (c.operation.as_str(), c.how, c.line)).collect();
    assert_eq!(
        how,
        [
            ("vclaim.sep.baru.add", Changed::Added, 5),
            ("vclaim.sep.baru.add", Changed::Replaced, 5),
            ("vclaim.sep.v1.add", Changed::Retired, 21)
        ]
    );
    assert!(catalogue.operation("vclaim.sep.v1.add").unwrap().retired, "entries that exist still know it");
    assert!(!catalogue.operations().any(|operation| operation.name == "vclaim.sep.v1.add"));
    assert!(catalogue.route(Service::Vclaim, Method::Post, "SEP/1.1/insert").is_none());
}

#[test]
fn an_answer_of_an_override_stands_before_the_shipped_ones_and_for_its_namesake() {
    let catalogue = over(ADDED).unwrap();
    assert_eq!(catalogue.answers(Service::Vclaim).next().unwrap().code, [299]);
    assert_eq!(catalogue.answers(Service::Vclaim).filter(|rule| rule.name == "refused").count(), 1);
    assert_eq!(catalogue.answers(Service::Pcare).count(), shipped().answers(Service::Pcare).count());
}

#[test]
fn a_dialect_of_an_override_is_laid_over_that_of_its_service() {
    let catalogue = over("service = \"icare\"\n[dialect]\nauthorization = false\nsuccess = [1]\n").unwrap();
    let dialect = catalogue.operation("icare.fktp.validate").unwrap().dialect();
    assert!(!dialect.authorization && dialect.is_success(1) && !dialect.is_success(200));
    assert_eq!(dialect.user_key, Some(Service::Icare), "the rest stays");
}

#[test]
fn every_mistake_names_file_and_line() {
    let line_of = |word: &str, text: &str| text.lines().position(|line| line.contains(word)).unwrap() + 1;
    for (wrong, said, near) in [
        (ADDED.replace("kind = \"add\"", "kind = \"ad\""), "unknown variant", "kind = "),
        (ADDED.replace("title = \"SEP bentuk baru\"\n", ""), "lacks title", "name = "),
        (ADDED.replace("repeat_safe = true\n", ""), "an add needs a look-up plan", "name = "),
        (ADDED.replace("SEP/3.0/insert", "SEP/{nomor}"), "no field for the placeholder {nomor}", "name = "),
        (ADDED.replace("vclaim.sep.baru.add", "pcare.sep.add"), "begins with vclaim.", "name = "),
        (ADDED.replace("type = \"kode\"", "type = \"kod\""), "field rujukan.noRujukan", "name = "),
        (
            ADDED.replace(
                "source = \"announcement of 2027\"\n\n[operation.fields]",
                "sourze = \"x\"\n[operation.fields]",
            ),
            "sourze",
            "sourze",
        ),
        (
            ADDED.replace("deadline =", "releases = \"vclaim.gone.add\"\ndeadline ="),
            "unknown operation vclaim.gone.add",
            "name = ",
        ),
        (
            ADDED.replace("[[answer]]", "[[operation]]\nname = \"vclaim.x\"\nretired = true\n[[answer]]"),
            "not known",
            "vclaim.x",
        ),
    ] {
        let error = over(&wrong).unwrap_err();
        assert!(error.what.contains(said), "{error} does not say {said}");
        assert_eq!((error.table.as_str(), error.line), ("baru.toml", Some(line_of(near, &wrong))), "{error}");
        assert!(error.to_string().starts_with("catalogue baru.toml:"), "{error}");
    }
}

#[test]
fn a_directory_that_cannot_be_read_is_an_error_and_none_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("tidak-ada");
    assert_eq!(Catalogue::with_overrides(Some(&gone)).unwrap_err().table, gone.display().to_string());
    assert_eq!(Catalogue::with_overrides(Some(folder.path())).unwrap().changes(), []);
    assert_eq!(Catalogue::with_overrides(None).unwrap().changes(), []);
    std::fs::write(folder.path().join("a.toml"), [0xff, 0xfe]).unwrap();
    assert!(Catalogue::with_overrides(Some(folder.path())).unwrap_err().table.ends_with("a.toml"));
    std::fs::write(folder.path().join("a.toml"), vec![b'#'; 1024 * 1024 + 1]).unwrap();
    assert!(Catalogue::with_overrides(Some(folder.path())).unwrap_err().what.contains("larger"));
}

#[test]
fn of_two_paths_that_fit_the_more_literal_one_is_meant() {
    let read = |name: &str, path: &str| {
        format!(
            "[[operation]]\nname = \"icare.{name}\"\ntitle = \"x\"\nkind = \"read\"\nmethod = \"GET\"\npath = \"{path}\"\n\
             source = \"a test of the order\"\n[operation.fields]\na = {{ type = \"kode\", title = \"a\" }}\n"
        )
    };
    let rows = [read("terbuka", "ref/{a}/x"), read("tetap", "ref/satu/x"), read("lain", "ref/satu/{a}")];
    for order in [[0, 1, 2], [2, 1, 0]] {
        let text = order.iter().fold("service = \"icare\"\n".to_owned(), |text, place| text + &rows[*place]);
        let catalogue = over(&text).unwrap();
        let name = |path| catalogue.route(Service::Icare, Method::Get, path).map(|(found, _)| found.name.as_str());
        assert_eq!(name("ref/satu/x"), Some("icare.tetap"));
        assert_eq!((name("ref/dua/x"), name("ref/satu/y")), (Some("icare.terbuka"), Some("icare.lain")));
    }
}
