"""How sure a suggestion is: evidence from the odds of its tokens, and an estimate fitted to it. May
import `api` and `models.decoding`."""
