"""The names of the environment variables, and of the rows of the keys file, that hold a provider's key."""

MODEL_KEYS = {
    "openrouter": ("OPENROUTER_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "anthropic": ("ANTHROPIC_API_KEY",),
    "google_genai": ("GOOGLE_API_KEY", "GEMINI_API_KEY"),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "xai": ("XAI_API_KEY",),
    "mistralai": ("MISTRAL_API_KEY",),
    "moonshotai": ("MOONSHOT_API_KEY",),
    "zai": ("ZAI_API_KEY",),
    "groq": ("GROQ_API_KEY",),
    "cohere": ("COHERE_API_KEY",),
    "fireworks": ("FIREWORKS_API_KEY",),
    "together": ("TOGETHER_API_KEY",),
    "perplexity": ("PPLX_API_KEY",),
}
"""By model provider; the first that is set counts."""
SEARCH_KEYS = {"tavily": "TAVILY_API_KEY", "exa": "EXA_API_KEY", "brave": "BRAVE_API_KEY"}
"""By search provider."""
KEY_NAMES = (*(name for names in MODEL_KEYS.values() for name in names), *SEARCH_KEYS.values())
