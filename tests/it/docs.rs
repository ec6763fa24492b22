//! `docs/catalogue.md` says what the catalogue says: written from it, and checked against it.
//!
//! After a change of the tables: `UPDATE_DOCS=1 cargo test --test it docs::`.

use std::path::Path;

use jembatan::catalogue::{Answer, AnswerClass, Catalogue, FieldType, Kind, LookUp, Operation, Service};

#[test]
fn the_catalogue_page_is_what_the_tables_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/catalogue.md");
    let wanted = page(&Catalogue::shipped().unwrap());
    if std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1") {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let line = wanted.lines().zip(found.lines()).position(|(wanted, found)| wanted != found);
    assert!(
        wanted == found,
        "docs/catalogue.md differs from the catalogue at line {}: run UPDATE_DOCS=1 cargo test --test it docs::",
        line.map_or_else(|| wanted.lines().count().min(found.lines().count()) + 1, |line| line + 1)
    );
}

#[test]
fn every_operation_has_its_row_and_no_cell_breaks_the_table() {
    let catalogue = Catalogue::shipped().unwrap();
    let page = page(&catalogue);
    for operation in catalogue.operations() {
        // Once among the operations, and a write once more among the look-ups.
        let rows = if operation.is_write() { 2 } else { 1 };
        assert_eq!(page.matches(&format!("\n| `{}` |", operation.name)).count(), rows, "{}", operation.name);
    }
    let bars = |line: &str| line.replace("\\|", "").matches('|').count();
    let mut width = 0;
    for line in page.lines() {
        if !line.starts_with('|') {
            width = 0;
        } else if width == 0 {
            width = bars(line);
        } else {
            assert_eq!(bars(line), width, "{line}");
        }
    }
}

/// Every word of the page that has the shape of a test's name: lower case with two underscores or more, in backticks.
fn tests_named(line: &str) -> Vec<String> {
    let quoted = line.split('`').skip(1).step_by(2);
    let shape = |word: &&str| {
        word.matches('_').count() >= 2 && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    quoted.filter(shape).map(str::to_owned).collect()
}

/// All sources and tests as one text.
fn everything(folder: &Path, text: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            everything(&path, text);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            text.push_str(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_rule_of_the_agreement_stands_on_the_page_with_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/kontrak.md")).unwrap();
    let mut code = String::new();
    for folder in ["src", "tests/it"] {
        everything(&root.join(folder), &mut code);
    }
    let proof = std::fs::read_to_string(root.join("docs/proof.md")).unwrap();
    for name in page.lines().chain(proof.lines()).flat_map(tests_named) {
        assert!(
            code.contains(&format!("fn {name}(")),
            "docs/kontrak.md or proof.md names a test that is not there: {name}"
        );
    }
    let contracts = jembatan::contract::Contracts::load(Path::new("bontang-2024.toml"), None).unwrap();
    let profile = contracts.profiles().next().unwrap();
    for rule in &profile.rules {
        let head = format!("| `{}` |", rule.id);
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with(&head)).collect();
        assert_eq!(rows.len(), 1, "docs/kontrak.md has no row, or several, for {}", rule.id);
        let cells: Vec<&str> = rows[0].split('|').map(str::trim).collect();
        let by_program = cells[2].starts_with("jembatan") || cells[2].starts_with("kalender");
        assert!(!by_program || !tests_named(rows[0]).is_empty(), "no test shows {}", rule.id);
        assert!(rule.remind.is_none() || cells[2].contains("kalender"), "{} is in the calendar: say so", rule.id);
    }
}

const HEAD: &str = "# The catalogue of remote operations

Written from `src/catalogue/*.toml` by `UPDATE_DOCS=1 cargo test --test it docs::`; do not edit by hand.

*Source* names where a row is known from: `CAT:n` is the line of a copy of BPJS's official catalogue, `§` a section of
our notes on the wire, three capitals a client whose code shows it, `IDX` a message of the developers' group.
(A) stands in the official catalogue and is used by a client, (B) two independent clients agree, (C) one source only,
(D) our inference. *Gives* is what BPJS assigns; *needs* is filled in from a prerequisite where the payload leaves it open.
";

fn page(catalogue: &Catalogue) -> String {
    let mut page = HEAD.to_owned();
    for service in Service::ALL {
        let operations: Vec<&Operation> =
            catalogue.operations().filter(|operation| operation.service == *service).collect();
        page.push_str(&format!("\n## {}\n\n{}\n", title(*service), dialect(catalogue, *service)));
        let (writes, reads): (Vec<_>, Vec<_>) = operations.into_iter().partition(|operation| operation.is_write());
        if !writes.is_empty() {
            write_tables(&mut page, &writes);
        }
        page.push_str("\n### Reads\n\n");
        table(
            &mut page,
            &["operation", "what", "method and path", "arguments", "rows in", "kept", "source"],
            reads.iter().map(|operation| read_cells(operation)),
        );
        if !writes.is_empty() {
            page.push_str("\n### Payloads\n\n");
            writes.iter().for_each(|operation| payload(&mut page, operation));
        }
        page.push_str("\n### What answers mean\n\nThe first row that fits wins; an answer that fits none is judged by its code alone.\n\n");
        table(
            &mut page,
            &["rule", "codes", "text has", "only for", "is", "means", "who", "next", "source"],
            catalogue.answers(*service).map(answer_cells),
        );
    }
    page
}

fn write_tables(page: &mut String, writes: &[&Operation]) {
    page.push_str("\n### Writes\n\n");
    table(
        page,
        &["operation", "what", "method and path", "content type", "needs", "gives", "deadline", "source"],
        writes.iter().map(|operation| operation_cells(operation)),
    );
    page.push_str("\n### What makes two entries the same, and how one is looked up again\n\n");
    table(
        page,
        &["operation", "natural key", "looked up with", "rows equal in", "certain if also equal in", "recovery"],
        writes.iter().map(|operation| look_up_cells(operation)),
    );
}

fn dialect(catalogue: &Catalogue, service: Service) -> String {
    let dialect = catalogue.dialect(service).unwrap();
    let numbers = |codes: &[i64]| codes.iter().map(i64::to_string).collect::<Vec<_>>().join(", ");
    let user_key = dialect.user_key.map_or("none".to_owned(), |of| code(&format!("{}.user_key", of.word())));
    let no_data = if dialect.no_data.is_empty() { "told by the words".to_owned() } else { numbers(&dialect.no_data) };
    format!(
        "Envelope `{}`, code as a {}; success {}; *no such data* {no_data}; `X-authorization` {}; user key {user_key}; \
         answers {}; bodies as {}.\n",
        dialect.envelope.word(),
        if dialect.code == jembatan::catalogue::CodeType::String { "text" } else { "number" },
        numbers(&dialect.success),
        if dialect.authorization { "sent" } else { "not sent" },
        if dialect.sealed { "sealed" } else { "in the clear" },
        code(&dialect.body_types[0]),
    )
}

fn read_cells(operation: &Operation) -> [String; 7] {
    let argument = |(name, field): &(String, jembatan::catalogue::Field)| {
        format!("`{name}` {} ({})", kind_word(field.kind), field.title)
    };
    let mut kept = match (operation.keep, operation.never_kept) {
        (Some(jembatan::catalogue::Keep::Reference), _) => "as a reference".to_owned(),
        (Some(jembatan::catalogue::Keep::Eligibility), _) => "as eligibility, sealed".to_owned(),
        (None, true) => "never, and never logged".to_owned(),
        (None, false) => String::new(),
    };
    if !operation.prefetch.is_empty() {
        kept.push_str(", fetched ahead");
    }
    let mut source = operation.source.clone();
    if !operation.dialect().sealed {
        source.push_str("; answered in the clear");
    }
    [
        code(&operation.name),
        operation.title.clone(),
        paths(operation),
        operation.fields.iter().map(argument).collect::<Vec<_>>().join("; "),
        operation.rows.as_deref().map(code).unwrap_or_default(),
        kept,
        source,
    ]
}

/// Method and path, and the other paths that mean the same.
fn paths(operation: &Operation) -> String {
    let mut text = code(&format!("{} {}", operation.method.word(), operation.path));
    if !operation.also.is_empty() {
        text.push_str(&format!(" (also {})", codes(&operation.also)));
    }
    text
}

const fn title(service: Service) -> &'static str {
    match service {
        Service::Pcare => "P-Care",
        Service::Vclaim => "V-Claim",
        Service::AntreanFktp => "Antrean FKTP",
        Service::Icare => "i-Care",
    }
}

fn table<const N: usize>(page: &mut String, head: &[&str; N], rows: impl Iterator<Item = [String; N]>) {
    page.push_str(&format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(N)));
    for row in rows {
        let cells: Vec<String> =
            row.iter().map(|cell| if cell.is_empty() { "–".into() } else { escape(cell) }).collect();
        page.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
}

fn escape(cell: &str) -> String {
    cell.replace('|', "\\|").replace('\n', " ")
}

fn code(word: &str) -> String {
    format!("`{word}`")
}

fn codes<'a>(words: impl IntoIterator<Item = &'a String>) -> String {
    words.into_iter().map(|word| code(word)).collect::<Vec<_>>().join(", ")
}

fn operation_cells(operation: &Operation) -> [String; 8] {
    let need = |need: &jembatan::catalogue::Need| {
        let optional = if need.optional { " (optional)" } else { "" };
        format!("`{}` ← `{}` of {}{optional}", need.field, need.id, codes(&need.from))
    };
    let mut gives = codes(&operation.gives);
    if !operation.gives_also.is_empty() {
        gives.push_str(&format!(", perhaps {}", codes(&operation.gives_also)));
    }
    [
        code(&operation.name),
        operation.title.clone(),
        paths(operation),
        operation.content_type.as_deref().map(code).unwrap_or_default(),
        operation.needs.iter().map(need).collect::<Vec<_>>().join("; "),
        gives,
        if operation.deadline.is_empty() { String::new() } else { code(&operation.deadline) },
        operation.source.clone(),
    ]
}

fn look_up_cells(operation: &Operation) -> [String; 6] {
    let pairs = |pairs: &std::collections::BTreeMap<String, String>| {
        let pair = |(row, field): (&String, &String)| format!("`{row}` = `{field}`");
        pairs.iter().map(pair).collect::<Vec<_>>().join(", ")
    };
    let recovery = match (&operation.look_up, operation.kind) {
        (Some(plan), _) if plan.confirm.is_some() => {
            format!(
                "looked up after {} s, then read by its number and compared; unique at BPJS",
                plan.settle().as_secs()
            )
        }
        (Some(plan), _) if plan.unique => format!("looked up after {} s; unique at BPJS", plan.settle().as_secs()),
        (Some(plan), _) => {
            let settle = plan.settle().as_secs();
            format!("looked up after {settle} s and {} s; BPJS allows copies", 3 * settle)
        }
        (None, Kind::Delete) => "repeated; not found means gone".to_owned(),
        (None, Kind::Add) => "repeated; already there means there".to_owned(),
        (None, Kind::Edit | Kind::Read) => "repeated: twice does no harm".to_owned(),
    };
    let plan = operation.look_up.as_ref();
    let confirmed = plan.and_then(|plan| plan.confirm.as_ref()).map(|confirm| {
        let named = confirm.named.iter().map(|named| format!("`{}` names `{}`", named.path, named.field));
        let all = [pairs(&confirm.key), pairs(&confirm.same)].into_iter().filter(|part| !part.is_empty()).chain(named);
        format!("by {}: {}", code(&confirm.read), all.collect::<Vec<_>>().join(", "))
    });
    let of = |part: fn(&LookUp) -> &std::collections::BTreeMap<String, String>| {
        plan.map(part).map(pairs).unwrap_or_default()
    };
    [
        code(&operation.name),
        codes(&operation.natural_key),
        plan.map(|plan| code(&plan.read)).unwrap_or_default(),
        of(|plan| &plan.key),
        [of(|plan| &plan.same)]
            .into_iter()
            .filter(|own| !own.is_empty())
            .chain(confirmed)
            .collect::<Vec<_>>()
            .join("; "),
        recovery,
    ]
}

fn payload(page: &mut String, operation: &Operation) {
    page.push_str(&format!("#### `{}`\n\n", operation.name));
    let row = |(name, field): &(String, jembatan::catalogue::Field)| {
        let mut notes = Vec::new();
        if field.empty {
            notes.push("may be empty".to_owned());
        }
        if let Some(shape) = &field.shape {
            notes.push(format!("form {} (* letter or digit, # digit)", code(shape)));
        }
        match (field.min, field.max) {
            (Some(min), Some(max)) => notes.push(format!("{min} to {max}")),
            (Some(min), None) => notes.push(format!("at least {min}")),
            (None, Some(max)) => notes.push(format!("at most {max}")),
            (None, None) => {}
        }
        if field.null {
            notes.push("may be null".to_owned());
        }
        if !field.values.is_empty() {
            notes.push(format!("one of {}", codes(&field.values)));
        }
        if let Some(default) = field.default {
            notes.push(format!("sent as {default} when absent"));
        }
        if field.default_null {
            notes.push("sent as null when absent".to_owned());
        }
        if let Some(send) = &field.send {
            notes.push(format!("sent as {send}"));
        }
        let must = if field.required { "yes" } else { "" };
        [code(name), kind_word(field.kind).to_owned(), must.to_owned(), field.title.clone(), notes.join("; ")]
    };
    table(page, &["field", "type", "required", "what", "notes"], operation.fields.iter().map(row));
    if !operation.wrap.is_empty() {
        page.push_str(&format!("\nOn the wire inside {}.\n", code(&operation.wrap.join("."))));
    }
    if !operation.rules.is_empty() {
        let rules: Vec<String> = operation.rules.iter().map(jembatan::catalogue::Rule::words).collect();
        page.push_str(&format!("\nRules: {}.\n", rules.join("; ")));
    }
    if !operation.omit_null.is_empty() {
        page.push_str(&format!("\nLeft out when null: {}.\n", codes(&operation.omit_null)));
    }
    page.push('\n');
}

const fn kind_word(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Kartu => "card number, 13 digits",
        FieldType::Tanggal => "day, dd-mm-yyyy",
        FieldType::Teks => "text",
        FieldType::Kode => "code",
        FieldType::Icd => "ICD-10",
        FieldType::Angka => "number",
        FieldType::Bulat => "whole number, also as text",
        FieldType::DesimalTeks => "number or text, comma or point",
        FieldType::Ya => "true or false",
        FieldType::Objek => "object",
        FieldType::Nomor => "id assigned by BPJS",
        FieldType::Daftar => "list of objects",
        FieldType::TanggalIso => "day, yyyy-mm-dd",
        FieldType::Waktu => "instant, yyyy-mm-dd hh:mm:ss",
        FieldType::Bilangan => "whole number",
        FieldType::EpokMs => "milliseconds since 1970",
    }
}

fn answer_cells(answer: &Answer) -> [String; 9] {
    let class = match answer.class {
        AnswerClass::AlreadyThere => "already there",
        AnswerClass::NotFound => "not found",
        AnswerClass::Refused => "refused",
        AnswerClass::Credentials => "credentials",
        AnswerClass::Clock => "clock",
        AnswerClass::Unknown401 => "unknown 401: the probe decides",
        AnswerClass::RateLimited => "rate limited",
        AnswerClass::Fault => "fault: may have landed",
        AnswerClass::NoData => "no such data",
    };
    let all = answer.words.iter().map(|word| format!("«{word}»")).collect::<Vec<_>>().join(" and ");
    let any = answer.any.iter().map(|word| format!("«{word}»")).collect::<Vec<_>>().join(" or ");
    let text = if all.is_empty() || any.is_empty() { format!("{all}{any}") } else { format!("{all} and ({any})") };
    let kinds = answer.kinds.iter().map(|kind| format!("{kind:?}").to_lowercase());
    let kinds = kinds.chain(answer.operations.iter().map(|name| code(name))).collect::<Vec<_>>().join(", ");
    let mut text = text;
    if let Some(found) = &answer.id_from_message {
        text.push_str(&format!(", ends with `{}` ({} characters)", found.id, found.last));
    }
    [
        code(&answer.name),
        answer.code.iter().map(i64::to_string).collect::<Vec<_>>().join(", "),
        text,
        kinds,
        class.to_owned(),
        answer.meaning.clone(),
        answer.who.word().to_owned(),
        answer.next.clone(),
        answer.source.clone(),
    ]
}
