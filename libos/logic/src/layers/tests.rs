//! Layers, one over the other.

use super::*;
use alloc::string::ToString;
use alloc::{format, vec};

fn split(line: &str) -> Vec<String> {
    line.split_whitespace().map(String::from).collect()
}

fn merged(layers: &[&str]) -> String {
    merge(layers.iter().map(|line| split(line)).collect()).join(" ")
}

#[test]
fn later_layers_add_and_what_is_there_once_is_theirs() {
    assert_eq!(
        merged(&["-noshell -boot a -kernel x 1", "-kernel x 2 +S 4"]),
        "-noshell -boot a -kernel x 1 -kernel x 2 +S 4"
    );
    assert_eq!(merged(&["-boot a -x", "-boot b"]), "-x -boot b");
    assert_eq!(merged(&["-mode embedded -user u -setcookie a", "-setcookie b"]), "-mode embedded -user u -setcookie b");
    assert_eq!(merged(&["-setcookie n@h a -setcookie b", "-setcookie c"]), "-setcookie n@h a -setcookie c");
    assert_eq!(merged(&[]), "");
}

#[test]
fn a_later_name_of_either_kind_replaces_one() {
    let all = " -start_epmd false -erl_epmd_port 4370";
    assert_eq!(merged(&["-sname a", "-name b@c"]), format!("-name b@c{all}"));
    assert_eq!(merged(&["-name a@b"]), format!("-name a@b{all}"));
    assert_eq!(merged(&["-name a@b -erl_epmd_port 99"]), "-name a@b -erl_epmd_port 99");
    assert_eq!(
        merged(&["-name a@b -start_epmd false -erl_epmd_port 99", "-erl_epmd_port 7"]),
        "-name a@b -start_epmd false -erl_epmd_port 7"
    );
    assert_eq!(merged(&["-name a@b -epmd_module m"]), "-name a@b -epmd_module m");
}

#[test]
fn who_wants_an_epmd_has_the_one_of_the_image() {
    let own = " -epmd_module trapless_epmd";
    assert_eq!(merged(&["-name a@b -start_epmd true"]), format!("-name a@b -start_epmd true{own}"));
    assert_eq!(merged(&["-start_epmd true -extra x"]), format!("-start_epmd true{own} -extra x"));
    assert_eq!(
        merged(&["-sname a -start_epmd true -erl_epmd_port 7"]),
        format!("-sname a -start_epmd true -erl_epmd_port 7{own}")
    );
    for line in ["-name a@b -start_epmd true -epmd_module m", "-name a@b -start_epmd true -no_epmd"] {
        assert_eq!(merged(&[line]), line);
    }
    let off = merged(&["-name a@b -start_epmd true", "-start_epmd false -erl_epmd_port 7"]);
    assert_eq!(off, "-name a@b -start_epmd false -erl_epmd_port 7");
}

#[test]
fn what_is_behind_extra_stays_behind_all() {
    assert_eq!(merged(&["-a -extra --no-halt -name", "-b", "-extra more"]), "-a -b -extra --no-halt -name more");
    assert_eq!(merged(&["-a -S m x", "-b -S n"]), "-a -b -S n");
    assert_eq!(merged(&["-sname a -extra x"]), "-sname a -start_epmd false -erl_epmd_port 4370 -extra x");
}

#[test]
fn files_are_read_or_refused_with_the_place() {
    assert_eq!(words(b"-eval 'a b'\n-x \"\"\n").unwrap(), ["-eval", "a b", "-x", ""]);
    assert_eq!(words(b"-x\0").unwrap(), ["-x"]);
    assert!(matches!(words(b"'a"), Err(LayerError::Words(_))));
    assert_eq!(words(b"\xff"), Err(LayerError::NotText));
    assert_eq!(variables(b"# note\n\nA=1\nB=x y=z\nC=\n").unwrap(), ["A=1", "B=x y=z", "C="]);
    assert_eq!(variables(b"A=1\nnothing\n"), Err(LayerError::Line(2)));
    assert_eq!(variables(b"=1\n"), Err(LayerError::Line(1)));
    assert_eq!(variables(b"export A=1\n"), Err(LayerError::Line(1)));
}

#[test]
fn later_variables_win() {
    let all = environment(["A=1", "B=2", "A=3", "AB=4"]);
    assert_eq!(all, ["B=2", "A=3", "AB=4"]);
    assert_eq!((value(&all, "A"), value(&all, "AB"), value(&all, "C")), (Some("3"), Some("4"), None));
}

#[test]
fn variables_are_replaced_in_templates() {
    let environment = vec!["NODE=a@b".to_string(), "EMPTY=".to_string()];
    let expanded = |text: &str| expand(text, &environment);
    assert_eq!(expanded("-name ${NODE}!").unwrap(), "-name a@b!");
    assert_eq!(expanded("${PORT:-8080}${EMPTY:-x}${EMPTY}").unwrap(), "8080x");
    assert_eq!(expanded("$NODE ${} ${no name} ${1} ${NODE").unwrap(), "$NODE ${} ${no name} ${1} ${NODE");
    assert_eq!(expanded("${WHAT}"), Err(LayerError::Unset("WHAT".into())));
    assert!(expanded("${WHAT}").unwrap_err().to_string().contains("env=WHAT="));
}
