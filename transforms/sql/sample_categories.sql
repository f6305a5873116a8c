-- grain: one category the shop sells
-- season: demand in January .. December against the category's mean; prices in the lowest denomination; staple: bought again and again
SELECT
    (row_number() OVER (ORDER BY position) - 1)::INTEGER AS category_index,
    category, code, weight, price_low, price_high, return_rate, staple,
    string_split(nouns, '|') AS nouns,
    string_split(season, '|')::DOUBLE[] AS season,
    purpose
FROM (
    VALUES
    (1, 'Pantry', 'PAN', 15, 250, 1900, 0.005, true,
     'coffee beans|green tea|olive oil|wildflower honey|sea salt|rolled oats|dark chocolate|tomato sauce|almond butter|penne',
     '1.0|1.0|1.0|1.0|0.9|0.9|0.9|0.9|1.0|1.1|1.1|1.3', 'For the store cupboard and the breakfast table'),
    (2, 'Kitchen', 'KIT', 14, 900, 14900, 0.03, false,
     'chopping board|frying pan|mixing bowl|bread bin|coffee grinder|carafe|knife block|spice rack|casserole|apron',
     '1.0|0.9|0.9|0.9|0.9|0.9|0.9|0.9|1.0|1.1|1.3|1.6', 'Made for daily cooking and baking'),
    (3, 'Garden', 'GAR', 10, 700, 19900, 0.03, false,
     'planter|watering can|seed tray|bird feeder|trowel|garden bench|hose reel|lantern|trellis|compost bin',
     '0.3|0.5|1.2|2.0|2.4|2.0|1.5|1.1|0.8|0.5|0.3|0.3', 'For beds, balconies and terraces'),
    (4, 'Lighting', 'LIG', 7, 1900, 24900, 0.05, false,
     'desk lamp|floor lamp|pendant light|wall light|table lamp|string lights|night light|candle holder|reading light|lampshade',
     '1.2|1.0|0.8|0.7|0.6|0.5|0.6|0.7|1.0|1.4|1.7|1.8', 'Warm light for dark evenings'),
    (5, 'Toys', 'TOY', 8, 700, 8900, 0.04, false,
     'building blocks|jigsaw puzzle|toy train|board game|doll house|kite|marble run|stacking rings|hand puppet|card game',
     '0.5|0.6|0.8|0.9|0.9|0.9|0.9|0.8|0.8|1.1|1.9|3.2', 'To play with for hours, alone or together'),
    (6, 'Beauty', 'BEA', 11, 500, 5900, 0.02, true,
     'hand cream|face oil|shampoo bar|body scrub|lip balm|bath salts|hand soap|cleansing balm|hair mask|beard oil',
     '1.0|1.1|1.0|1.0|1.1|1.0|0.9|0.9|0.9|1.0|1.1|1.4', 'Gentle care for skin and hair'),
    (7, 'Office', 'OFF', 8, 300, 12900, 0.03, false,
     'notebook|pen tray|desk organiser|monitor stand|wall planner|letter opener|bookend|cable box|filing box|fountain pen',
     '1.5|1.0|0.9|0.9|0.8|0.7|0.8|1.4|1.7|1.0|0.9|0.9', 'Keeps a desk clear and a day planned'),
    (8, 'Clothing', 'CLO', 9, 1500, 15900, 0.16, false,
     'scarf|cardigan|socks|overshirt|beanie|slippers|rain jacket|belt|tote bag|pyjamas',
     '1.0|0.8|0.9|1.0|0.9|0.8|0.8|0.8|1.1|1.3|1.4|1.5', 'Comfortable to wear in every season'),
    (9, 'Pets', 'PET', 7, 400, 6900, 0.015, true,
     'dog food|cat food|chew bone|cat litter|dog lead|scratching post|pet bed|treat jar|feeding bowl|ball launcher',
     '1.0|1.0|1.0|1.0|1.0|1.0|1.0|1.0|1.0|1.0|1.0|1.2', 'For dogs and cats and their people'),
    (10, 'Sports', 'SPO', 6, 900, 17900, 0.06, false,
     'yoga mat|water bottle|skipping rope|dumbbell|foam roller|cycling cap|camping mug|rucksack|head torch|picnic blanket',
     '1.8|1.2|1.0|1.1|1.2|1.2|1.1|0.9|0.8|0.7|0.7|0.9', 'For training at home and days outdoors'),
    (11, 'Bath', 'BAT', 5, 600, 8900, 0.03, false,
     'bath towel|bath mat|soap dish|shower caddy|laundry basket|toothbrush mug|mirror|robe hook|shower curtain|bath tray',
     '1.2|1.1|1.0|1.0|0.9|0.9|0.9|0.9|1.0|1.0|1.1|1.2', 'A quiet corner in the bathroom'),
    (12, 'Bedroom', 'BED', 6, 1500, 22900, 0.07, false,
     'duvet cover|pillow|throw|bedside table|alarm clock|quilt|wardrobe basket|fitted sheet|headboard|bolster',
     '1.5|1.1|0.9|0.9|0.8|0.8|0.8|0.9|1.1|1.2|1.2|1.1', 'For long nights and slow mornings')
) AS listed (position, category, code, weight, price_low, price_high, return_rate, staple, nouns, season, purpose)
WHERE position <= $categories
ORDER BY category_index
