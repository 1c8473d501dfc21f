# Runs one file of Elixir's own tests, and prints one line a result: `@@ start SUITE CASE`, then `@@ ok|skipped|failed SUITE CASE REASON`.
#
#     elixir runner.exs SUITE HELPER FILE LEFT_OUT
#
# HELPER is the `test_helper.exs` of the tests. LEFT_OUT is a file with cases to leave out, one a line, spelled as in the lines of results.

defmodule TraplessLines do
  @moduledoc false
  use GenServer

  @impl true
  def init(options), do: {:ok, options[:suite]}

  @impl true
  def handle_cast({:test_started, test}, suite), do: print(suite, "start", test, "")
  def handle_cast({:test_finished, %{state: {:excluded, _}}}, suite), do: {:noreply, suite}
  def handle_cast({:test_finished, %{state: nil} = test}, suite), do: print(suite, "ok", test, "")
  def handle_cast({:test_finished, %{state: {:skipped, why}} = test}, suite), do: print(suite, "skipped", test, why)
  def handle_cast({:test_finished, %{state: state} = test}, suite), do: print(suite, "failed", test, reason(state))
  def handle_cast(_event, suite), do: {:noreply, suite}

  # No blank and nothing that means something in a table.
  def name(%{module: module, name: name}), do: "#{inspect(module)}/#{name}" |> String.replace(~r/[\s|`]+/u, "_")

  defp print(suite, verdict, test, reason) do
    IO.puts("\n@@ #{verdict} #{suite} #{name(test)} #{reason}")
    {:noreply, suite}
  end

  defp reason({:failed, failures}) do
    Enum.map_join(failures, "; ", fn {kind, reason, stack} -> line(Exception.format_banner(kind, reason, stack)) end)
  end

  defp reason({:invalid, _module}), do: "what prepares its module failed"

  defp line(text), do: text |> String.replace(~r/\s+/u, " ") |> String.slice(0, 300)
end

[suite, helper, file, left_out] = System.argv()
{:ok, _} = Application.ensure_all_started(:ex_unit)
# The helper starts what runs tests at the end of everything; here they are run in its place.
Application.put_env(:ex_unit, :autorun, false)
Code.require_file(helper)
modules = for {module, _} <- Code.require_file(file), function_exported?(module, :__ex_unit__, 0), do: module
tests = for module <- modules, test <- module.__ex_unit__().tests, do: test

left_out =
  case File.read(left_out) do
    {:ok, text} -> text |> String.split("\n", trim: true) |> MapSet.new()
    {:error, :enoent} -> MapSet.new()
  end

wanted = Enum.reject(tests, &MapSet.member?(left_out, TraplessLines.name(&1)))

ExUnit.configure(
  formatters: [TraplessLines],
  suite: suite,
  only_test_ids: MapSet.new(wanted, &{&1.module, &1.name}),
  # One after the other, in their own order.
  seed: 0,
  max_cases: 1,
  # Software emulation with more CPUs than the host has is slow; these limits are there to catch what hangs.
  timeout: 600_000,
  assert_receive_timeout: 2_000
)

ExUnit.Server.modules_loaded(false)
result = ExUnit.run()
IO.puts("\n@@ end #{inspect(result)}")
System.halt(0)
