# Looks into the node that it runs on, with what OTP has for that.

tracer = fn
  {:trace, _, :return_from, {module, name, arity}, result}, state ->
    IO.puts("=dbg #{module}:#{name}/#{arity} #{inspect(result)}")
    state

  _, state ->
    state
end

{:ok, _} = :dbg.tracer(:process, {tracer, nil})
{:ok, _} = :dbg.p(self(), [:call])
{:ok, _} = :dbg.tp(:lists, :sum, 1, :x)
6 = :lists.sum([1, 2, 3])
{:ok, _} = :dbg.p(self(), [:clear])
:dbg.stop()

child = spawn(fn -> receive do: (from -> send(from, :answer)) end)
1 = :erlang.trace(child, true, [:receive, :send])
me = self()
send(child, me)
receive do: ({:trace, ^child, :receive, ^me} -> IO.puts("=trace received"))
receive do: ({:trace, ^child, :send, :answer, ^me} -> IO.puts("=trace sent"))

true = :msacc.start(300)
slept = fn %{type: type, counters: counters} -> type == :scheduler and counters.sleep > 0 end
IO.puts("=msacc #{Enum.any?(:msacc.stats(), slept)}")
# The schedulers' own share of time, which counts what they were busy with.
:erlang.system_flag(:scheduler_wall_time, true)
before = :erlang.statistics(:scheduler_wall_time) |> Enum.sort()
Enum.reduce(1..200_000, 0, &(&1 + &2))
since = :erlang.statistics(:scheduler_wall_time) |> Enum.sort()
busy = for {{id, a, _}, {id, b, _}} <- Enum.zip(before, since), do: b - a
IO.puts("=busy #{Enum.sum(busy) > 0}")
System.halt(4)
