import Config
config :demo, greeting: System.get_env("GREETING", "from runtime.exs") <> " of " <> System.fetch_env!("RELEASE_NAME")
