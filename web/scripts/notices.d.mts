/** The text that goes with a build: `about` says what it is, then each package with its licence. */
export function notices(about: string, packages: readonly string[]): string;
