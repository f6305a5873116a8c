-- grain: one style family of the shop's items; words name durable things, flavours name things that are used up
SELECT
    (row_number() OVER (ORDER BY position) - 1)::INTEGER AS family_index,
    family, price_factor,
    string_split(words, '|') AS words,
    string_split(flavours, '|') AS flavours,
    string_split(brands, '|') AS brands,
    phrase
FROM (
    VALUES
    (1, 'Rustic', 1.0, 'Walnut|Oak|Stoneware|Hemp|Wicker|Olive wood|Clay|Woollen',
     'Farmhouse|Orchard|Meadow|Smoked|Heather|Oat|Barn|Hearth',
     'Hollow Tree|Millstone|Grange & Sons|Thatch|Old Forge', 'Rustic grain and honest wear'),
    (2, 'Nordic', 1.2, 'Birch|Ash|Linen|White felt|Pine|Pale wool|Frosted|Spruce',
     'Juniper|Cloudberry|Sea buckthorn|Dill|Birch sap|Lingonberry|Rye|Fjord',
     'Fjell|Nordlys|Hygga|Solveig|Skog', 'Nordic calm in pale wood and wool'),
    (3, 'Modern', 1.1, 'Steel|Matt black|Glass|Chrome|Carbon|Ceramic|Graphite|Acrylic',
     'Citrus|Charcoal|Ginger|Mint|Matcha|Yuzu|Cold-brew|Zero',
     'Axiom|Plane|Vektor|Nine Grid|Monoform', 'Modern lines without ornament'),
    (4, 'Vintage', 0.9, 'Brass|Velvet|Enamel|Cut-glass|Tartan|Porcelain|Mahogany|Lace',
     'Rose|Lavender|Vanilla|Bergamot|Violet|Treacle|Earl Grey|Almond',
     'Pemberton|Arcade|Miss Ada|Curio|Pearl & Hart', 'Vintage charm from another century'),
    (5, 'Coastal', 0.95, 'Driftwood|Rope|Sailcloth|Striped|Shell|Bleached|Jute|Sea-blue',
     'Sea salt|Kelp|Coconut|Harbour|Lime|Driftwood|Samphire|Breeze',
     'Tidewater|Gull & Oar|Saltmarsh|Lighthouse Co|Pebble', 'Coastal colours of sand and water'),
    (6, 'Industrial', 1.05, 'Iron|Copper|Concrete|Galvanised|Leather|Canvas|Riveted|Zinc',
     'Black pepper|Espresso|Malt|Oak-aged|Chilli|Molasses|Tobacco leaf|Roasted',
     'Foundry 12|Rivet|Brickyard|Shift|Ironbridge', 'Industrial heft from the workshop')
) AS listed (position, family, price_factor, words, flavours, brands, phrase)
WHERE position <= $families
ORDER BY family_index
