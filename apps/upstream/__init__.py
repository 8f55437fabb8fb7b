"""The external API that both apps call: a process of its own."""
