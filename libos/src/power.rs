//! The end of the machine, however it comes.

use crate::console::{self, say};
use crate::{counters, network, profile, signals};
use core::fmt;
use trapless_abi::flags::Signal;
use trapless_abi::{Errno, SysResult};
use trapless_platform::irq::{self, Softirq};
use trapless_platform::{button, power};

/// Lets everything be seen and heard that there is to see and hear.
fn farewell() {
    network::farewell();
    console::drain();
    counters::summarize();
    profile::summarize();
}

/// exit_group(2): the machine ends with the program, or starts over if somebody watches over the program (`heart`).
pub fn exit_process(status: i32) -> ! {
    if power::watchers() > 0 {
        say!("trapless: the program has ended with status {status}: the machine starts over");
    }
    farewell();
    power::exit(status as u8)
}

/// A signal that nobody handles ends the machine, with the status a shell would report.
pub fn killed(signo: u32) -> ! {
    let name = u8::try_from(signo).ok().and_then(Signal::new).map_or("?", Signal::name);
    say!("trapless: the program was ended by {name}");
    exit_process(128 + signo as i32)
}

fn on_softirq() {
    if button::pressed() {
        signals::send_process(Signal::SIGTERM.number().into());
    }
}

/// From now on the power button asks the program to end, as SIGTERM does.
pub fn heed_button() {
    irq::set_softirq(Softirq::POWER, on_softirq);
    if button::listen().is_err() {
        log::info!("no power button");
    }
}

/// Switches the machine off.
pub fn off() -> ! {
    farewell();
    power::off()
}

/// Starts the machine over.
pub fn restart() -> ! {
    farewell();
    power::reset()
}

/// A boot that cannot go on: says why, and what to do.
pub fn refuse_boot(why: core::fmt::Arguments<'_>) -> ! {
    say!("trapless: cannot boot: {why}");
    exit_process(125)
}

/// Writes how many watch over the program, so that the machine starts over when it ends (/proc/trapless/power).
pub fn write_state(w: &mut dyn fmt::Write) -> fmt::Result {
    writeln!(w, "watchers {}", power::watchers())
}

/// Obeys a command written there: what is to become of the machine, now or (while somebody watches) when the program ends.
///
/// # Errors
/// EINVAL for anything else.
pub fn obey(command: &[u8]) -> SysResult<()> {
    match command {
        b"off" => off(),
        b"restart" => restart(),
        b"watch" => power::watch(),
        b"unwatch" => power::unwatch(),
        _ => return Err(Errno::EINVAL),
    }
    Ok(())
}
