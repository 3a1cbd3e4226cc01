//! A disk that is full while a CA works: an error, nothing lost, and the next run with room completes.

use std::{fs, path::Path};

use crate::support::{kpki::Kpki, mounts};

/// The pages that the files below a directory take in a tmpfs, which counts whole ones.
fn pages(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).unwrap().map(Result::unwrap);
    let sizes = entries.map(|entry| match entry.file_type().unwrap().is_dir() {
        true => pages(&entry.path()),
        false => entry.metadata().unwrap().len().div_ceil(4096),
    });
    sizes.sum()
}

/// Runs a command where there is room for some pages more than `out` takes. What is there afterwards lies in `after`.
fn with_room(kpki: &Kpki, room: u64, command: &str) -> Option<(i32, String)> {
    let blocks = pages(&kpki.path("out")) + room;
    let script = format!(
        "mkdir -p full && mount -t tmpfs -o mode=700,nr_blocks={blocks} none full || exit 77; cp -a out/. full/ || exit 78; \
         \"$0\" --out full {command}; code=$?; rm -rf after && cp -a full after; exit $code"
    );
    mounts::run(kpki, &script)
}

#[test]
fn nothing_is_lost_on_a_full_disk_whatever_the_ca_is_about() {
    let kpki = Kpki::at_work(&["alice", "bob"]);
    kpki.ok(&["revoke", "bob"]);
    kpki.ok(&["backup", "b"]);
    let mut failures = 0;
    for (before, command) in [
        ("", "renew --all --new-key"),
        ("", "revoke alice"),
        ("", "crl --der"),
        (
            "",
            "sign elsewhere/far/far.csr --client --out-file full/far.crt",
        ),
        ("", "backup full/b"),
        ("", "restore b --out full/fresh"),
        ("", "rotate-ca start"),
        ("rotate-ca start", "rotate-ca next --force"),
        ("rotate-ca next --force", "rotate-ca next --force"),
        ("rotate-ca next --force", "rotate-ca finish --force"),
    ] {
        if !before.is_empty() {
            kpki.ok(&before.split(' ').collect::<Vec<_>>());
        }
        let inventory = fs::read(kpki.path("out/ca/inventory.jsonl")).unwrap();
        for room in [0, 1, 2, 3, 5, 8, 13] {
            let Some((code, said)) = with_room(&kpki, room, command) else {
                return;
            };
            let what = format!("{command} with room for {room} pages: {code} {said}");
            assert!(!said.contains("panicked"), "{what}");
            let after = fs::read(kpki.path("after/ca/inventory.jsonl")).unwrap();
            assert!(after.starts_with(&inventory), "{what}");
            if code != 0 {
                failures += 1;
                assert!(matches!(code, 1 | 4), "{what}");
                assert!(
                    said.contains("No space left") || said.contains("full"),
                    "{what}"
                );
                again(&kpki, command, &what);
            }
            let fresh = kpki.path("after/fresh");
            if fresh.exists() {
                kpki.ok(&["doctor", "--out", "after/fresh"]);
                fs::remove_dir_all(fresh).unwrap();
            }
            kpki.is_sound("after", what);
        }
    }
    assert!(failures > 20, "the disk was full only {failures} times");
}

/// The same command with room.
fn again(kpki: &Kpki, command: &str, what: &str) {
    let command = command.replace("full/", "after/");
    let words: Vec<&str> = ["--out", "after"]
        .into_iter()
        .chain(command.split(' '))
        .collect();
    let said = kpki.run(&words);
    // What was begun is under way, and the same word goes a step further or not at all.
    let known = [
        "is being replaced already",
        "the rotation is ",
        "no rotation",
    ];
    let begun = known.iter().any(|known| said.stderr.contains(known));
    match said.code {
        Some(0) => {}
        Some(1) if command.starts_with("rotate-ca") && begun => {
            kpki.ok(&["doctor", "--fix", "--out", "after"]);
        }
        _ => panic!("{what}\nand then: {}", said.stderr),
    }
}
