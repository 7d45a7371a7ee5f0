/** The first language that somebody likes and we have: `de-AT` is served by `de`. English, when there is none. */
export function bestLanguage(liked: readonly string[], ours: readonly string[]): string {
  for (const tag of liked) {
    const found = [tag, tag.split("-")[0] as string].find((candidate) => ours.includes(candidate.toLowerCase()));
    if (found !== undefined) return found.toLowerCase();
  }
  return "en";
}
