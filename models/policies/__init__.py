"""How an agent's policy is learned and judged (decision contract, sections 8 to 10). Arrays in, arrays out."""
