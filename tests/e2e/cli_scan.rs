//! `jeton scan`.

use std::os::unix::fs::symlink;

use key_admin::PresentedKey;

use crate::cli_http::{Directory, run_with_input};
use crate::support::{App, on_both_engines, run_to_end};

fn scan(arguments: &[&str]) -> (Option<i32>, String, String) {
    let output = run_to_end(&[&["scan"], arguments].concat(), &[]);
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[tokio::test]
async fn a_planted_key_is_found_wherever_it_is() {
    on_both_engines(|app: App| async move {
        let directory =
            Directory::named(&format!("scan-{}", app.server.address().replace(':', "-")));
        let top = directory.path();
        let planted = |name: &str| top.join(name).display().to_string();
        let deep = top.join("a/b");
        std::fs::create_dir_all(&deep).unwrap();
        // Across the boundary of what is read at once, in a file that is no text.
        let mut binary = vec![0xff_u8; 64 * 1024 - 30];
        binary.extend_from_slice(app.key.as_bytes());
        binary.extend_from_slice(&[b'\n', 0, 0xc3]);
        binary.extend_from_slice(app.key.as_bytes());
        std::fs::write(deep.join("core"), &binary).unwrap();
        std::fs::write(top.join(".env"), format!("A=1\nKEY='{}'\n", app.key)).unwrap();
        let last = if app.key.ends_with('0') { "1" } else { "0" };
        std::fs::write(top.join("wrong"), format!("{}{last}", &app.key[..65])).unwrap();
        symlink(top, deep.join("round")).unwrap();

        let (code, found, talk) = scan(&[top.to_str().unwrap()]);
        let shown = PresentedKey::parse(&app.key).unwrap().id().key_prefix();
        let expected = [
            format!("{}:2:6  {shown}", planted(".env")),
            format!("{}:1:{}  {shown}", planted("a/b/core"), 64 * 1024 - 29),
            format!("{}:2:3  {shown}", planted("a/b/core")),
        ];
        assert_eq!(found.lines().collect::<Vec<_>>(), expected, "{talk}");
        assert_eq!(code, Some(1));
        assert!(
            talk.contains("round: a link") && talk.contains("files read: 3"),
            "{talk}"
        );
        assert!(!found.contains(&app.key[17..]) && !talk.contains(&app.key[17..]));

        let (code, found, talk) = scan(&[&planted("wrong")]);
        assert_eq!((code, found.as_str()), (Some(0), ""), "{talk}");
        let (code, found, talk) = scan(&[&planted(".env"), &planted("nothing")]);
        assert_eq!((code, found.lines().count()), (Some(2), 1));
        assert!(
            talk.contains("cannot read") && talk.contains("nothing"),
            "{talk}"
        );
        symlink(planted("gone"), top.join("dangling")).unwrap();
        assert_eq!(
            scan(&[top.to_str().unwrap()]).0,
            Some(2),
            "a link to nothing"
        );
    })
    .await;
}

#[tokio::test]
async fn standard_input_is_scanned() {
    on_both_engines(|app: App| async move {
        let history = format!("+ first\n+ jeton {}\n", app.key);
        let output = run_with_input(&["scan", "-"], &[], &history);
        assert_eq!(output.status.code(), Some(1));
        let found = String::from_utf8(output.stdout).unwrap();
        assert_eq!(found, format!("-:2:9  {}\n", &app.key[..16]));
        assert_eq!(
            run_with_input(&["scan", "-"], &[], "nothing").status.code(),
            Some(0)
        );
    })
    .await;
}
