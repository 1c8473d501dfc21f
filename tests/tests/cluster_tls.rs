//! Distribution over TLS: nodes that an authority vouches for talk to each other, and others do not get in.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use trapless_tests::{
    host::{self, said, succeed},
    initrd,
    machine::{Forward, Machine},
    nodes::{Host, Wire, runs},
    variant,
    vm::{Vm, free_port},
};

/// What must not be seen on the wire.
const SECRET: &str = "words-in-the-clear";

/// What a node needs: its certificate, its key, and the authority's certificate.
struct Identity {
    folder: PathBuf,
}

/// Certificates that one authority made, as files of this host.
struct Authority(PathBuf);

impl Authority {
    fn new(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder)?;
        let at = |name: &str| folder.join(name).display().to_string();
        let new =
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"];
        let files = ["-subj", "/CN=authority", "-keyout", &at("key.pem"), "-out", &at("certificate.pem")];
        succeed("openssl", &[&new[..], &files].concat())?;
        Ok(Self(folder))
    }

    /// A certificate for whoever has this address.
    fn vouch(&self, address: &str) -> Result<Identity> {
        let folder = self.0.join(address);
        fs::create_dir_all(&folder)?;
        let at = |name: &str| folder.join(name).display().to_string();
        let own = |name: &str| self.0.join(name).display().to_string();
        let new = ["req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
        let files = ["-subj", &format!("/CN={address}"), "-keyout", &at("key.pem"), "-out", &at("request.pem")];
        succeed("openssl", &[&new[..], &files].concat())?;
        fs::write(folder.join("extensions"), format!("subjectAltName=IP:{address}\n"))?;
        let sign = ["x509", "-req", "-days", "3650", "-in", &at("request.pem"), "-extfile", &at("extensions")];
        let by = [
            "-CA",
            &own("certificate.pem"),
            "-CAkey",
            &own("key.pem"),
            "-CAcreateserial",
            "-out",
            &at("certificate.pem"),
        ];
        succeed("openssl", &[&sign[..], &by].concat())?;
        fs::copy(self.0.join("certificate.pem"), folder.join("authority.pem"))?;
        Ok(Identity { folder })
    }
}

impl Identity {
    /// The file of `-ssl_dist_optfile`, when the others are in `at`: each side shows its certificate and wants to see the other's.
    fn options(at: &str) -> String {
        let both = format!(
            "{{certfile, \"{at}/certificate.pem\"}}, {{keyfile, \"{at}/key.pem\"}}, {{cacertfile, \"{at}/authority.pem\"}}, \
             {{verify, verify_peer}}"
        );
        format!("[{{server, [{both}, {{fail_if_no_peer_cert, true}}]}}, {{client, [{both}]}}].\n")
    }

    /// An initrd that has it in /etc/dist, as arguments of QEMU.
    fn initrd(&self) -> Result<Vec<String>> {
        let read = |name: &str| fs::read(self.folder.join(name)).with_context(|| format!("there is no {name}"));
        let (certificate, key, authority) = (read("certificate.pem")?, read("key.pem")?, read("authority.pem")?);
        initrd::write(
            &self.folder.join("initrd"),
            &[
                ("etc/dist/certificate.pem", &certificate),
                ("etc/dist/key.pem", &key),
                ("etc/dist/authority.pem", &authority),
                ("etc/dist/tls.config", Self::options("/etc/dist").as_bytes()),
            ],
        )
    }

    /// The file for a node of this host.
    fn on_the_host(&self) -> Result<String> {
        let file = self.folder.join("tls.config");
        fs::write(&file, Self::options(&self.folder.display().to_string()))?;
        Ok(file.display().to_string())
    }
}

fn node(name: &str, config: &str) -> String {
    format!("-name {name} -setcookie wire -proto_dist inet_tls -ssl_dist_optfile {config} -kernel net_ticktime 8")
}

const CONFIG: &str = "/etc/dist/tls.config";
const UP: &str = r#"io:format("=up~n")."#;

/// Everything that went over a wire, as QEMU wrote it down.
fn seen(capture: &Path) -> Result<Vec<u8>> {
    fs::read(capture).with_context(|| format!("there is no {}", capture.display()))
}

#[test]
fn two_machines_speak_tls() -> Result<()> {
    let folder = host::fresh("cluster-tls")?;
    let authority = Authority::new(folder.join("authority"))?;
    let (wire, image) = (Wire::new()?, variant::with_applications()?);
    let code = format!(
        "B = 'b@10.9.0.2', trapless_cluster_test:until(fun() -> net_adm:ping(B) =:= pong end),
         {{ok, Info}} = net_kernel:node_info(B), tls = element(4, proplists:get_value(address, Info)),
         Data = binary:copy(<<\"{SECRET}\">>, 50000), Data = erpc:call(B, binary, copy, [Data]),
         io:format(\"=called~n\")."
    );
    let mut vms = Vec::new();
    let capture = folder.join("capture");
    for (name, number, code) in [("a", 1, &*code), ("b", 2, UP)] {
        let address = format!("10.9.0.{number}");
        let mut machine = wire.machine(image.clone(), number, &runs(code, &node(&format!("{name}@{address}"), CONFIG)));
        machine.extra.extend(authority.vouch(&address)?.initrd()?);
        if name == "a" {
            machine
                .extra
                .extend(["-object".into(), format!("filter-dump,id=dump,netdev=wire,file={}", capture.display())]);
        }
        vms.push(Vm::boot(&format!("cluster-tls-{name}"), &machine)?);
    }
    vms[0].wait_for("=called")?;
    drop(vms);
    let seen = seen(&capture)?;
    ensure!(seen.len() > 2 * SECRET.len() * 50000, "only {} bytes went over the wire", seen.len());
    let holds = |text: &str| seen.windows(text.len()).any(|bytes| bytes == text.as_bytes());
    ensure!(!holds(SECRET) && !holds("binary"), "what the nodes said can be read on the wire");
    Ok(())
}

#[test]
fn a_node_of_this_host_speaks_tls_and_a_stranger_does_not_get_in() -> Result<()> {
    let folder = host::fresh("cluster-tls-host")?;
    let authority = Authority::new(folder.join("authority"))?;
    let (port, there, identity) = (free_port()?, "there@127.0.0.1", authority.vouch("127.0.0.1")?);
    let found = format!("-start_epmd false -erl_epmd_port {port}");
    let mut vm = Vm::boot(
        "cluster-tls-host",
        &Machine {
            cpus: 2,
            forwards: vec![Forward { host: port, guest: port, udp: false }],
            append: runs(UP, &format!("{} {found}", node(there, CONFIG))),
            extra: identity.initrd()?,
            ..Machine::new(variant::with_applications()?)
        },
    )?;
    vm.wait_for("=up")?;
    let host = Host::new()?;
    let ping = |name: &str, config: &str| -> Result<String> {
        let code = format!("io:format(\"=~p~n\", [net_adm:ping('{there}')]), halt(0).");
        let flags = format!("{} {found} -dist_listen false -noinput -kernel logger_level critical", node(name, config));
        Ok(said(&host.erl(&flags, &["-eval", &code], "")?))
    };
    let known = ping("here@127.0.0.1", &identity.on_the_host()?)?;
    ensure!(known.contains("=pong"), vm.fail(&known));
    // Somebody else's authority vouches for it, and it trusts the machine's.
    let stranger = Authority::new(folder.join("stranger"))?.vouch("127.0.0.1")?;
    fs::copy(identity.folder.join("authority.pem"), stranger.folder.join("authority.pem"))?;
    let refused = ping("stranger@127.0.0.1", &stranger.on_the_host()?)?;
    ensure!(refused.contains("=pang"), vm.fail(&refused));
    // The machine lost nothing by it.
    let again = ping("again@127.0.0.1", &identity.on_the_host()?)?;
    ensure!(again.contains("=pong"), vm.fail(&again));
    Ok(())
}
