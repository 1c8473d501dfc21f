//! IPv6 by QEMU's user network, whose router advertises a network, and on a wire without a router.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use anyhow::{Context, Result, ensure};
use trapless_tests::{
    deadline, erl, image, load,
    machine::Machine,
    nodes::{Wire, runs},
    vm::Vm,
};

/// Waits for an address, and then sends to the host all that the host says.
const CODE: &str = r#"
    Addresses = fun() -> {ok, I} = inet:getifaddrs(), [A || {"eth0", O} <- I, {addr, A} <- O, element(1, A) == 16#fec0] end,
    Wait = fun Wait() -> case Addresses() of [] -> timer:sleep(50), Wait(); [A] -> A end end,
    Own = Wait(),
    {ok, S} = gen_tcp:connect({16#fec0, 0, 0, 0, 0, 0, 0, 2}, PORT, [inet6, binary, {active, false}]),
    {ok, {Own, _}} = inet:sockname(S),
    {ok, Data} = gen_tcp:recv(S, SIZE),
    ok = gen_tcp:send(S, Data),
    gen_tcp:close(S),
    io:format("sent as ~s~n", [inet:ntoa(Own)]),
    receive stop -> ok end.
"#;

#[test]
fn a_router_gives_an_address_to_connect_from() -> Result<()> {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        eprintln!("this host has no IPv6: nothing was tested");
        return Ok(());
    };
    let data = load::bytes(300_000, 9);
    let code = CODE.replace("PORT", &listener.local_addr()?.port().to_string());
    let code = code.replace("SIZE", &data.len().to_string()).split_whitespace().collect::<Vec<_>>().join(" ");
    let mut vm = Vm::boot("ipv6", &Machine { cpus: 2, append: erl(&code), ..Machine::new(image()) })?;
    let said = thread::spawn(move || -> Result<bool> {
        let (mut stream, _) = listener.accept().context("nobody connects")?;
        stream.set_read_timeout(Some(deadline()))?;
        stream.write_all(&data).context("cannot write")?;
        let mut back = Vec::new();
        stream.read_to_end(&mut back).context("cannot read")?;
        Ok(back == data)
    });
    vm.wait_for("sent as fec0::5054:ff:fe")?;
    let same = said.join().map_err(|_| vm.fail("the server has panicked"))??;
    ensure!(same, vm.fail("something else came back"));
    Ok(())
}

/// QEMU's multicast sockets bring back to a machine what it has sent, its question for its own address as well.
#[test]
fn an_address_of_the_link_is_had_where_the_wire_reflects() -> Result<()> {
    let code = r#"
        Has = fun Has() ->
            {ok, I} = inet:getifaddrs(),
            case [A || {"eth0", O} <- I, {addr, A} <- O, element(1, A) == 16#fe80] of
                [] -> timer:sleep(50), Has();
                [A] -> inet:ntoa(A)
            end
        end,
        io:format("=has ~s~n", [Has()]).
    "#;
    let mut vm = Vm::boot("ipv6-reflected", &Wire::new()?.machine(image(), 1, &runs(code, "")))?;
    vm.wait_for("=has fe80::5054:ff:fe09:1").map(drop)
}
