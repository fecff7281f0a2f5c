//! Whole requests from the files in `attributes/`: byte for byte as clients write them, or as attacks look.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::outcome;

#[test]
fn requests_of_real_clients_and_real_attacks_are_told_apart() {
    let ours = "github.com acme/web";
    let table = [
        // rules 2, 8, 12, 49, 50: what clients write
        ("ours-git-2.17-fetch", ours),
        ("ours-git-2.47-fetch", ours),
        ("ours-git-credential-fill", ours),
        ("ours-git-erase", ours),
        ("ours-git-for-windows", ours),
        ("ours-git-lfs", ours),
        ("ours-git-without-use-http-path", "github.com -"),
        ("ours-redirected", "github.com acme/renamed"),
        ("ours-enterprise-server-with-port", "ghe.example.com:8443 Acme-Inc/Web.js"),
        // rule 16
        ("ours-gitoxide", ours),
        ("ours-gitoxide-with-user", ours),
        ("refused-gitoxide-with-another-url", "refused: the attribute url contradicts the other attributes"),
        ("refused-url-alone", "refused: the attribute protocol is missing or empty"),
        // rules 10, 13, 14
        ("not-ours-plain-http", "not ours: Protocol"),
        ("not-ours-client-certificate", "not ours: Protocol"),
        ("not-ours-another-user", "not ours: Username"),
        ("not-ours-gitlab-subgroup", "not ours: Path"),
        // rules 3, 4, 6, 9
        ("refused-CVE-2020-5260-newline-in-host", "refused: the attribute host came twice"),
        ("refused-CVE-2020-11008-no-host", "refused: the attribute host is missing or empty"),
        ("refused-CVE-2020-11008-empty-host", "refused: the attribute host is missing or empty"),
        ("refused-CVE-2024-50338-carriage-return-in-host", "refused: line 2 contains a NUL or CR character"),
        ("refused-CVE-2024-53263-nul-in-path", "refused: line 3 contains a NUL or CR character"),
        ("refused-git-died-while-writing", "refused: the attribute host is missing or empty"),
        ("not-ours-CVE-2025-23040-unicode-line-end", "not ours: Host"),
    ];
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/attributes");
    for (name, expected) in table {
        let request = fs::read(directory.join(format!("{name}.txt"))).unwrap();
        assert_eq!(outcome(request), expected, "{name}");
    }
    let listed: BTreeSet<_> = table.map(|(name, _)| format!("{name}.txt")).into();
    let files = fs::read_dir(directory).unwrap();
    let present: BTreeSet<_> = files
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != ".gitattributes")
        .collect();
    assert_eq!(present, listed, "every file is in the table");
}
