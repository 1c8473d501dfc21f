%% The numbers, in Prometheus's text format (version 0.0.4). Those of the machine come from the same files as on Linux, and from
%% /proc/trapless where there is no such file there.
-module(trapless_metrics_text).
-export([all/0]).

-spec all() -> iolist().
all() ->
    [metric(Name, Type, Help, Samples) || {Name, Type, Help, Samples} <- erlang_metrics() ++ machine_metrics(), Samples =/= []].

metric(Name, Type, Help, Samples) ->
    ["# HELP ", Name, $\s, Help, "\n# TYPE ", Name, $\s, Type, $\n,
     [[Name, labels(Labels), $\s, number(Value), $\n] || {Labels, Value} <- Samples]].

labels([]) -> [];
labels(Labels) -> [${, lists:join($,, [[Name, "=\"", Value, $"] || {Name, Value} <- Labels]), $}].

number(Value) when is_integer(Value) -> integer_to_list(Value);
number(Value) when is_float(Value) -> float_to_list(Value, [{decimals, 6}, compact]).

one(Value) -> [{[], Value}].

erlang_metrics() ->
    {{input, In}, {output, Out}} = erlang:statistics(io),
    {Collections, Words, _} = erlang:statistics(garbage_collection),
    {Reductions, _} = erlang:statistics(reductions),
    {Switches, _} = erlang:statistics(context_switches),
    {Uptime, _} = erlang:statistics(wall_clock),
    [{"erlang_memory_bytes", "gauge", "Memory of the emulator, by what it is for.",
      [{[{"kind", atom_to_list(Kind)}], Bytes} || {Kind, Bytes} <- erlang:memory()]},
     {"erlang_processes", "gauge", "Processes of Erlang.", one(erlang:system_info(process_count))},
     {"erlang_process_limit", "gauge", "The most processes there can be.", one(erlang:system_info(process_limit))},
     {"erlang_ports", "gauge", "Ports.", one(erlang:system_info(port_count))},
     {"erlang_atoms", "gauge", "Atoms.", one(erlang:system_info(atom_count))},
     {"erlang_ets_tables", "gauge", "ETS tables.", one(length(ets:all()))},
     {"erlang_run_queue", "gauge", "Processes and ports that are ready to run.", one(erlang:statistics(total_run_queue_lengths))},
     {"erlang_schedulers_online", "gauge", "Schedulers.", one(erlang:system_info(schedulers_online))},
     {"erlang_reductions_total", "counter", "Reductions.", one(Reductions)},
     {"erlang_context_switches_total", "counter", "Switches between processes.", one(Switches)},
     {"erlang_garbage_collections_total", "counter", "Garbage collections.", one(Collections)},
     {"erlang_garbage_collected_bytes_total", "counter", "What they gave back.", one(Words * erlang:system_info(wordsize))},
     {"erlang_port_input_bytes_total", "counter", "Bytes read by ports.", one(In)},
     {"erlang_port_output_bytes_total", "counter", "Bytes written by ports.", one(Out)},
     {"erlang_uptime_seconds", "gauge", "Since the emulator has started.", one(Uptime / 1000)}].

machine_metrics() ->
    Memory = memory(),
    Cpus = cpus(),
    [{"machine_memory_bytes", "gauge", "Memory of the machine.",
      [{[{"kind", Kind}], maps:get(Line, Memory)} || {Kind, Line} <- [{"total", "MemTotal"}, {"free", "MemFree"}, {"files", "Shmem"}],
                                                     is_map_key(Line, Memory)]},
     {"machine_load1", "gauge", "Load average over one minute.", load()},
     {"machine_cpu_seconds_total", "counter", "How the CPUs have spent their time.",
      [{[{"cpu", Cpu}, {"mode", Mode}], Ticks / 100} || {Cpu, Modes} <- Cpus, {Mode, Ticks} <- Modes]},
     {"machine_sockets", "gauge", "Sockets of the network.", net("sockets")},
     {"machine_connections_refused_total", "counter", "Connections that were refused.", net("refused")}].

%% Lines of /proc/meminfo, in bytes.
memory() ->
    maps:from_list([{Name, list_to_integer(Kib) * 1024} || [Name, Kib, "kB"] <- lines("/proc/meminfo", ": ")]).

load() ->
    case lines("/proc/loadavg", " ") of
        [[Load | _] | _] -> one(list_to_float(Load));
        [] -> []
    end.

%% Lines of /proc/stat that are about one CPU: its ticks of 10 ms in user mode, idle, and with interrupts.
cpus() ->
    [{Cpu, [{"user", list_to_integer(User)}, {"system", list_to_integer(System)}, {"idle", list_to_integer(Idle)},
            {"irq", list_to_integer(Irq)}]}
     || ["cpu" ++ [_ | _] = Name, User, _Nice, System, Idle, _Wait, Irq | _] <- lines("/proc/stat", " "),
        Cpu <- [lists:nthtail(3, Name)]].

net(Name) ->
    [{[], list_to_integer(Value)} || [Found, Value] <- lines("/proc/trapless/net", " "), Found =:= Name].

%% The words of each line; none of a file that is not there.
lines(File, Separators) ->
    case file:read_file(File) of
        {ok, Text} -> [string:lexemes(Line, Separators) || Line <- string:split(binary_to_list(Text), "\n", all), Line =/= ""];
        {error, _} -> []
    end.
